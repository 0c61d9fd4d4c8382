import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { measureStraightness } from '../../src/api/straightness.ts';
import { openRunModel, withRunSampler } from '../../src/api/run-sampler.ts';
import { sample } from '../../src/api/sample.ts';
import { reflow } from '../../src/api/reflow/reflow.ts';
import { train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { type Straightness, StraightnessSum } from '../../src/flow/straightness.ts';
import { compareSteps } from '../../src/report/compare-steps.ts';
import { energyDistance } from '../../src/report/energy-distance.ts';
import { FEW_EVALUATIONS, drawFewSteps, sampleFewSteps } from '../../src/report/few-steps.ts';
import { reportStraightness } from '../../src/report/straightness.ts';
import { keptRuns } from '../golden/kept-runs.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const source = stripes();
let folder: string;
let run: string;
let student: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  const config = { ...tinyStripes, optimizer: { learningRate: 1e-2 } };
  ({ run } = await train(config, { runs: folder, source, backend }));
  const options = { runs: folder, folder: join(folder, 'pairs'), pairs: 6, steps: 2, backend, source };
  student = (await reflow(run, options)).training.run;
});

/** Of paths in two steps, each gone along by itself. */
async function oneByOne(of: string, labels: readonly number[]): Promise<Straightness> {
  const opened = await openRunModel(of, {});
  const sum = new StraightnessSum(2, 96);
  await withRunSampler(opened, { backend }, async (sampler) => {
    for (const [i, label] of labels.entries()) {
      const path: Float32Array[] = [];
      const data = await sampler.sample({
        sampler: 'euler',
        count: 1,
        firstSample: i,
        steps: 2,
        seed: 0,
        conditions: { labels: [label] },
        onVisit: (x) => void path.push(Float32Array.from(x)),
      });
      sum.add([...path, data], 1);
    }
  });
  return sum.result();
}

describe('straightness is refused', () => {
  it.each([
    [{ count: 0 }, 'straightness: count must be a whole number above 0, got 0'],
    [
      { steps: 1 },
      'straightness: steps must be a whole number from 2: in one step every path is straight, got 1',
    ],
    [{ checkpoint: 7 }, 'there is no checkpoint of step 7'],
  ])('with %j', async (asked, message) => {
    await expect(measureStraightness(run, { backend, ...asked })).rejects.toThrow(message);
  });

  it('of a model that predicts noise', async () => {
    const kept = keptRuns['ddpm']!;
    const ddpm = await train(kept.config, { runs: folder, source: await kept.source(folder), backend });
    await expect(measureStraightness(ddpm.run, { backend })).rejects.toThrow(
      /ddpm: was trained with flow\.objective ddpm: it has no paths of rectified flow that could be straight/,
    );
  });

  it('with guidance that the student of pairs has not learnt', async () => {
    await expect(measureStraightness(student, { backend, guidance: 2 })).rejects.toThrow(
      'guidance must be 1 (none)',
    );
  });
});

describe('the straightness of a run', () => {
  it('is that of the paths that Euler goes along', async () => {
    const steps = 5;
    const measured = await measureStraightness(run, { backend, count: 4, steps, seed: 2, guidance: 1.5 });
    expect(measured).toMatchObject({ run, step: 12, count: 4, steps, seed: 2, guidance: 1.5 });
    // By hand, from where samples of fewer and fewer steps cannot be: the same paths, step by step.
    const labels = [0, 1, 2, 0];
    const path: Float64Array[] = [];
    const { values } = await sample(run, {
      backend,
      labels,
      count: 1,
      steps,
      seed: 2,
      guidance: 1.5,
      sampler: 'euler',
    });
    const opened = await openRunModel(run, {});
    await withRunSampler(opened, { backend }, (sampler) =>
      sampler.sample({
        count: 4,
        steps,
        seed: 2,
        guidance: 1.5,
        conditions: { labels },
        onVisit: (x) => void path.push(Float64Array.from(x)),
      }),
    );
    path.push(Float64Array.from(values));
    let [deviation, lengths] = [0, 0];
    for (let i = 0; i < values.length; i++) {
      const way = path[0]![i]! - path[steps]![i]!;
      lengths += way ** 2 / values.length;
      for (let k = 0; k < steps; k++)
        deviation += (way - steps * (path[k]![i]! - path[k + 1]![i]!)) ** 2 / values.length / steps;
    }
    expect(measured.deviation).toBeCloseTo(deviation, 8);
    expect(measured.relative).toBeCloseTo(deviation / lengths, 8);
    expect(measured.byTime).toHaveLength(steps);
  });

  it('does not depend on how many paths are gone along at a time', async () => {
    // More than are gone along at once.
    const count = 70;
    const measured = await measureStraightness(run, { backend, count, steps: 2 });
    const labels = Array.from({ length: count }, (_, i) => i % 3);
    const { deviation, relative } = await oneByOne(run, labels);
    expect(measured.count).toBe(count);
    expect(measured.deviation).toBeCloseTo(deviation, 6);
    expect(measured.relative).toBeCloseTo(relative, 6);
  });

  it('is that of the classes that the model was told, where it has room for more', async () => {
    const roomy = {
      ...tinyStripes,
      optimizer: { learningRate: 1e-2 },
      model: { ...tinyStripes.model, classes: 5 },
    };
    const { run: other } = await train(roomy, { runs: folder, source, backend });
    const measured = await measureStraightness(other, { backend, count: 5, steps: 2 });
    const ratioTo = async (labels: readonly number[]): Promise<number> =>
      measured.deviation / (await oneByOne(other, labels)).deviation;
    expect(await ratioTo([0, 1, 2, 0, 1])).toBeCloseTo(1, 5);
    expect(await ratioTo([0, 1, 2, 3, 4])).not.toBeCloseTo(1, 5);
  });

  it('can be measured of models of captions and of cells', async () => {
    for (const name of ['captions', 'cells']) {
      const kept = keptRuns[name]!;
      const of = await train(kept.config, { runs: folder, source: await kept.source(folder), backend });
      const { deviation } = await measureStraightness(of.run, { backend, count: 3, steps: 3 });
      expect(deviation).toBeGreaterThan(0);
      const rows = await sampleFewSteps([of.run], { backend, evaluations: [1] });
      expect((await drawFewSteps(rows)) !== undefined).toBe(name === 'captions');
    }
  });
});

describe('a report of straightness', () => {
  it('has numbers, a plot over t, and samples of few evaluations from the same noise', async () => {
    const done: string[] = [];
    const { measured, files } = await reportStraightness([run, student], {
      backend,
      count: 2,
      steps: 3,
      evaluations: [1, 2],
      out: join(folder, 'report'),
      onProgress: (what, part, total) => done.push(`${what} ${part}/${total}`),
    });
    expect(measured.map((each) => each.run)).toEqual([run, student]);
    const report = JSON.parse(await readFile(files.report, 'utf8')) as object;
    expect(report).toMatchObject({ runs: JSON.parse(JSON.stringify(measured)) as object });
    expect(await readFile(files.plot, 'utf8')).toContain('stripes-reflow</text>');
    // 10 columns of 12 pixels, 12 times as large, and 4 rows.
    const { width, height } = await sharp(files.samples!).metadata();
    expect([width! > 10 * 144, height! > 4 * 96]).toEqual([true, true]);
    expect(done).toContain('following paths 2/2');
    expect(done.at(-1)).toBe('sampling 4/4');
  });

  it('shows what the sampler makes, of the same noise for each run', async () => {
    const rows = await sampleFewSteps([run, student], { backend, evaluations: [1, 2], seed: 4 });
    expect(rows.map(({ run: of, evaluations }) => [of, evaluations])).toEqual([
      [run, 1],
      [run, 2],
      [student, 1],
      [student, 2],
    ]);
    const labels = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
    const { values } = await sample(run, { backend, labels, count: 1, steps: 2, seed: 4 });
    expect(rows[1]!.values).toEqual(values);
    expect(FEW_EVALUATIONS).toEqual([1, 2, 4, 8, 50]);
    await expect(sampleFewSteps([run], { backend, evaluations: [0] })).rejects.toThrow(
      'evaluations must be whole numbers from 1, got 0',
    );
  });
});

describe('a comparison of few evaluations', () => {
  it('measures the distance of what each run makes to the data of the first', async () => {
    const compared = await compareSteps([run, student], {
      backend,
      source,
      count: 5,
      evaluations: [1, 3],
      out: join(folder, 'few'),
    });
    expect(compared.count).toBe(5);
    const { readCompared } = await import('../../src/report/compared-samples.ts');
    const loader = { workers: 1, prefetch: 1, cacheMiB: 0, onBadSample: 'fail' } as const;
    const data = await readCompared(source, { loader, seed: 0 }, 5);
    const labels = data.annotations.map(({ label }) => label!);
    const made = await sample(student, { backend, labels, count: 1, steps: 3 });
    expect(compared.rows[3]).toEqual({
      run: student,
      evaluations: 3,
      distance: energyDistance(made.values, data.values, 96),
    });
    expect(compared.dataDistance).toBe(energyDistance(data.others, data.values, 96));
    expect(JSON.parse(await readFile(compared.files.report, 'utf8'))).toMatchObject({ rows: compared.rows });
    expect((await sharp(compared.files.samples!).metadata()).format).toBe('png');
  });

  it('needs data, which pairs are not', async () => {
    await expect(compareSteps([student, run], { backend })).rejects.toThrow(
      /stripes-reflow: was trained on pairs, which are no data to compare with\. Name the run that was trained on data first/,
    );
  });
});
