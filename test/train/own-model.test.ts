import { describe, expect, it } from 'vitest';
import { compareObjectives } from '../../src/report/compare-objectives.ts';
import { modelCost } from '../../src/api/cost.ts';
import { diagnose } from '../../src/api/doctor/diagnose.ts';
import { replay } from '../../src/api/replay.ts';
import { sample } from '../../src/api/sample.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { describeRun } from '../../src/cli/info-run.ts';
import { resolveDiTConfig } from '../../src/models/dit-config.ts';
import { DiT } from '../../src/models/dit.ts';
import { type VelocityModel, labelCondition } from '../../src/models/model.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointBytes, stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const source = stripes();
/** A model that the config could describe as well, so that the two can be compared. */
const model: VelocityModel = new DiT(tinyStripes.model);
const config: ConfigInput = { ...tinyStripes, model: { kind: 'custom' } };

describe('a model of the program that trains', () => {
  it('has the classes of the data, and no other settings', () => {
    const facts = { name: 'stripes', count: 17, shape: [1, 8, 12], classes: 3 };
    const resolved = resolveConfig(config, { facts });
    expect(resolved).toMatchObject({
      model: { kind: 'custom', classes: 3 },
      flow: { labelDropout: 0.1 },
      sample: { labels: [0, 1, 2], guidance: 2, clip: 1 },
    });
    expect(resolveConfig(resolved)).toEqual(resolved);
    expect(() => resolveConfig({ ...config, model: { kind: 'custom', width: 8 } }, { facts })).toThrow(
      'model.width: no setting of the model custom. There are classes.',
    );
  });

  it('trains to the same bits as one that the config describes, resumes, replays and samples', async () => {
    const runs = await temporaryFolder();
    const stopped = new AbortController();
    const onStep = ({ step }: { step: number }): void => void (step === 4 && stopped.abort());
    const { run } = await train(config, { runs, source, backend, model, onStep, signal: stopped.signal });
    await resume(run, { source, backend, model });
    const described = await train({ ...tinyStripes, name: 'described' }, { runs, source, backend });
    expect(Object.values(await checkpointBytes(run, 12)).map(weightsOf)).toEqual(
      Object.values(await checkpointBytes(described.run, 12)).map(weightsOf),
    );
    const images = await sample(run, { backend, model, count: 2, labels: [1] });
    expect(images.values).toEqual((await sample(described.run, { backend, count: 2, labels: [1] })).values);
    const { steps } = await replay(run, 8, 8, { source, backend, model });
    expect(steps).toMatchObject([{ step: 8, isEqual: true }]);
    expect((await describeRun(run)).join('\n')).toMatch(
      /step 12 of 12[^]*model +custom: its sizes and cost are known to the program that brings it/,
    );
  });

  it('must be handed over again, and be asked for', async () => {
    const own = { runs: await temporaryFolder(), source, backend };
    const missing = /model: a custom model is handed over by the program that trains\. Run, resume/;
    const { run } = await train(config, { ...own, model });
    await expect(resume(run, own)).rejects.toThrow(missing);
    await expect(sample(run, own)).rejects.toThrow(missing);
    await expect(diagnose(config, own)).rejects.toThrow(missing);
    await expect(compareObjectives(config, { ...own, count: 4 })).rejects.toThrow(missing);
    expect(() => modelCost({ kind: 'custom', classes: 3 }, backend, [1])).toThrow(missing);
    await expect(train(tinyStripes, { ...own, model })).rejects.toThrow(
      'model.kind: wanted custom, because the program hands over its own model, found "dit"',
    );
  });

  it('is checked, compared and costed as one that the config describes', async () => {
    const options = { source, backend, overfitSeconds: 600 };
    const learns = { ...config, optimizer: { learningRate: 1e-2 } };
    const checks = await diagnose(learns, { ...options, model });
    const described = await diagnose({ ...learns, model: tinyStripes.model }, options);
    expect(checks.map(({ name }) => name)).toEqual(described.map(({ name }) => name));
    const [own, same] = [checks, described].map((each) => each.find(({ name }) => name === 'one batch'));
    expect(own).toEqual(same);

    const compared = { source, backend, evaluations: [2], count: 4 };
    const runs = [await temporaryFolder(), await temporaryFolder()] as const;
    const { rows } = await compareObjectives(config, { ...compared, runs: runs[0], model });
    expect(rows).toEqual((await compareObjectives(tinyStripes, { ...compared, runs: runs[1] })).rows);

    const cost = modelCost({ kind: 'custom', classes: 3 }, backend, [1, 4], { model });
    expect(cost).toEqual(modelCost({ kind: 'dit', ...resolveDiTConfig(tinyStripes.model) }, backend, [1, 4]));
  });

  it('is told what the data have', async () => {
    const own = { runs: await temporaryFolder(), source, backend };
    const unconditional = new DiT({ ...tinyStripes.model, classes: 0 });
    await expect(train(config, { ...own, model: unconditional })).rejects.toThrow(
      'model.conditions: wanted labelCondition(3), for model.classes 3, found "none"',
    );
    const untold = { ...config, model: { kind: 'custom', classes: 0 } } as const;
    await expect(train(untold, { ...own, model })).rejects.toThrow(
      'model.conditions: wanted none, for model.classes 0, found "labels below 3"',
    );
    const more = { ...model, conditions: [...labelCondition(3), ...labelCondition(3)] };
    await expect(train(config, { ...own, model: more })).rejects.toThrow(
      'found "labels below 3, labels below 3"',
    );
    const other = new DiT({ ...tinyStripes.model, imageSize: [8, 8] });
    await expect(train(config, { ...own, model: other })).rejects.toThrow(
      /images are \[C, H, W\] = \[1, 8, 12\], the model is made for \[1, 8, 8\]/,
    );
  });
});

/** Without the header, which names the model. */
function weightsOf(file: Buffer): Buffer {
  return file.subarray(8 + Number(file.readBigUInt64LE()));
}
