import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/api/doctor/diagnose.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { epochOrder } from '../../src/data/sampler.ts';
import type { Source, SourceFacts } from '../../src/data/source.ts';
import { readSafetensors } from '../../src/formats/safetensors-file.ts';
import { streams } from '../../src/tensor/random-streams.ts';
import { completeTraining } from '../../src/train/complete.ts';
import type { StepMetrics } from '../../src/train/metrics.ts';
import { temporaryFolder } from '../support/cli.ts';
import { pairedStripes } from '../support/paired.ts';
import { checkpointBytes, stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const { model } = resolveConfig(tinyStripes);
const by = { weights: 'those of a test', model: 'a test' };
const unpaired: SourceFacts = { name: 'pairs', count: 17, shape: [1, 8, 12], classes: 3 };
const facts: SourceFacts = { ...unpaired, paired: by };

describe('pairs of noise and data that cannot be learnt from', () => {
  it.each([
    ['none', undefined, 'sample 4 of paired stripes: has no noise that it was made of'],
    ['of another size', new Float32Array(95), 'has noise of 95 numbers, its values are 96'],
    ['not finite', new Float32Array(96).fill(Infinity), 'has noise with numbers that are not finite'],
  ])('noise that is %s is named with its sample', async (_, noise, message) => {
    const whole = pairedStripes(() => 1);
    const source: Source = {
      ...whole,
      async read(index, ...rest) {
        const { noise: own, ...annotation } = await whole.read(index, ...rest);
        const given = index === 4 ? noise : own;
        return { ...annotation, ...(given && { noise: given }) };
      },
    };
    const runs = await temporaryFolder();
    await expect(train(tinyStripes, { runs, source, backend })).rejects.toThrow(message);
  });

  it('data without noise are refused where pairs are asked for', () => {
    const flow = { coupling: 'pairs' } as const;
    expect(() => resolveConfig({ ...tinyStripes, flow }, { facts: unpaired })).toThrow(
      /flow\.coupling: wanted independent: the data do not tell what noise their samples were made of.* found "pairs"/,
    );
  });

  it('noise prediction does not go along their paths', () => {
    const flow = { objective: { kind: 'ddpm' } } as const;
    expect(() => resolveConfig({ ...tinyStripes, flow }, { facts })).toThrow(
      /flow\.objective\.kind: wanted rectified-flow: pairs are the ends of its paths.* found "ddpm"/,
    );
  });

  it('another coupling is none', () => {
    expect(() => resolveConfig({ ...tinyStripes, flow: { coupling: 'pair' as 'pairs' } })).toThrow(
      'flow.coupling: wanted one of independent, pairs, found "pair"',
    );
  });
});

describe('pairs', () => {
  it('are what data that have them are learnt from, without dropping labels, unless the config says otherwise', () => {
    const wanted = { coupling: 'pairs', labelDropout: 0 };
    expect(resolveConfig(tinyStripes, { facts }).flow).toMatchObject(wanted);
    expect(completeTraining({ model }, facts).flow).toMatchObject(wanted);
    expect(resolveConfig(tinyStripes, { facts }).sample.guidance).toBe(1);
    const flow = { coupling: 'independent' } as const;
    expect(completeTraining({ model, flow }, facts).flow).toMatchObject({ ...flow, labelDropout: 0.1 });
    expect(resolveConfig(tinyStripes).flow).toMatchObject({ ...flow, labelDropout: 0.1 });
  });

  // A new model says 0, so that its loss is the square of the distance between the ends.
  const distance = (index: number): number => index / 4;
  const whole: ConfigInput = {
    ...tinyStripes,
    optimizer: { learningRate: 1e-9 },
    train: { ...tinyStripes.train, steps: 1, batchSize: 17 },
  };
  const squares = (indices: readonly number[]): number =>
    indices.reduce((sum, index) => sum + distance(index) ** 2, 0) / indices.length;
  const all = Array.from({ length: 17 }, (_, index) => index);

  it.each([undefined, 4])(
    'are the ends of the paths that a step learns, in micro-batches of %s',
    async (microBatch) => {
      const config = { ...whole, train: { ...whole.train, microBatch } } as ConfigInput;
      const { metrics } = await train(config, {
        runs: await temporaryFolder(),
        source: pairedStripes(distance),
        backend,
      });
      expect(metrics!.loss).toBeCloseTo(squares(all), 5);
    },
  );

  it('are not looked at where noise is drawn', async () => {
    const config: ConfigInput = { ...whole, flow: { coupling: 'independent' } };
    const runs = await temporaryFolder();
    const paired = await train(config, { runs, source: pairedStripes(distance), backend });
    const plain = await train(whole, { runs, source: stripes(), backend });
    // Headers name the data.
    const weights = async (run: string) =>
      (await readSafetensors(join(run, 'checkpoints/step-0000001/model.safetensors'))).tensors;
    expect(await weights(paired.run)).toEqual(await weights(plain.run));
  });

  it('are those that held-out losses are of', async () => {
    const config: ConfigInput = {
      ...whole,
      train: { ...whole.train, batchSize: 5 },
      heldOut: { count: 7, every: 1 },
    };
    const { metrics } = await train(config, {
      runs: await temporaryFolder(),
      source: pairedStripes(distance),
      backend,
    });
    const order = [...epochOrder(17, 0, 0, streams.heldOut)];
    expect(metrics!.heldOutLoss).toBeCloseTo(squares(order.slice(0, 7)), 5);
    expect(metrics!.trainedLoss).toBeCloseTo(squares(order.slice(7, 14)), 5);
  });

  it('are learnt from to the same bits over a stop', async () => {
    const runs = await temporaryFolder();
    const source = pairedStripes(Math.sin);
    const once = await train({ ...tinyStripes, name: 'once' }, { runs, source, backend });
    const stopped = new AbortController();
    const onStep = ({ step }: StepMetrics): void => void (step === 4 && stopped.abort());
    const options = { runs, source, backend };
    const { run } = await train(tinyStripes, { ...options, onStep, signal: stopped.signal });
    await resume(run, options);
    expect(await checkpointBytes(run, 12)).toEqual(await checkpointBytes(once.run, 12));
  });

  it('may go beyond [-1, 1], as what models make does, and data may not', async () => {
    const wide = pairedStripes(() => 1);
    const far: Source = {
      ...wide,
      async read(index, out, offset, key) {
        const annotation = await wide.read(index, out, offset, key);
        for (let i = 0; i < 96; i++) out[offset + i]! *= 3;
        return annotation;
      },
    };
    const { paired: _, ...plain } = far;
    const told = async (source: Source, name: string): Promise<string> => {
      const notices: string[] = [];
      const onNotice = (text: string): void => void notices.push(text);
      await train({ ...whole, name }, { runs: await temporaryFolder(), source, backend, onNotice });
      return notices.join();
    };
    expect(await told(far, 'far')).not.toContain('not in [-1, 1]');
    expect(await told(plain, 'plain')).toContain('not in [-1, 1]');
  });

  it('can be looked at by doctor', async () => {
    const config: ConfigInput = { ...tinyStripes, optimizer: { learningRate: 1e-2 } };
    const checks = await diagnose(config, {
      source: pairedStripes(Math.sin),
      backend,
      overfitSeconds: 600,
    });
    expect(checks.find(({ name }) => name === 'one batch')?.status).toBe('ok');
  });
});
