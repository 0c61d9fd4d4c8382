import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import type { Backend } from '../../src/backends/backend.ts';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { checkpointFolder } from '../../src/runs/run-folder.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { spoilt, spoiltPlace } from '../support/bad-data.ts';
import { testBackends } from '../support/backends.ts';
import { type PlainStep, checkSaved, stateAfter } from '../support/plain-steps.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointDigests, stripes, tinyStripes } from '../support/tiny-run.ts';

const steps = 8;
const config = {
  ...tinyStripes,
  train: { ...tinyStripes.train, steps, logEvery: 1 },
  ema: { decays: [0.9], power: [0.1] },
} satisfies ConfigInput;

function withTrain(settings: ConfigInput['train'], name = 'stripes'): ConfigInput {
  return { ...config, name, train: { ...config.train, ...settings } };
}

/** Schedules and averages count one update less after the step that is left out. */
function allBut(left: number): PlainStep[] {
  return Array.from({ length: steps }, (_, i) => i + 1)
    .filter((step) => step !== left)
    .map((step, i) => ({ batch: step, step, update: i + 1 }));
}

const skip = testBackends().find(({ label }) => label === 'cpu portable')!.skip;
const engines: { name: string; skip?: string | undefined; backend(): Backend }[] = [
  { name: 'the reference', backend: () => referenceBackend() },
  { name: `the CPU${skip ? ` (skipped: ${skip})` : ''}`, skip, backend: () => cpuBackend({ threads: 1 }) },
];

describe.each(engines)('a step whose data hold a NaN, on $name', ({ skip: reason, backend }) => {
  it.skipIf(reason).each([undefined, 2, 3])(
    'changes nothing and counts for nothing, with micro-batches of %o',
    async (microBatch) => {
      const input = withTrain(microBatch === undefined ? {} : { microBatch });
      const runs = await temporaryFolder();
      const { run, step, finished } = await train(input, {
        runs,
        source: spoilt(stripes(), [5]),
        backend: backend(),
      });
      expect({ step, finished }).toEqual({ step: steps, finished: true });
      await checkSaved(run, await stateAfter(input, backend(), allBut(5)));
    },
  );
});

describe('a run with a bad step', () => {
  it('tells what is bad, counts it and logs no number of it', async () => {
    const runs = await temporaryFolder();
    const notices: string[] = [];
    const read: number[] = [];
    const source = spoilt(stripes(), [5]);
    const { run, metrics } = await train(withTrain({ microBatch: 2 }), {
      runs,
      source: {
        ...source,
        read: (index, ...rest) => {
          read.push(index);
          return source.read(index, ...rest);
        },
        describe: (index) => `row ${index}`,
      },
      backend: referenceBackend(),
      onNotice: (text) => notices.push(text),
    });
    const finding = `The data hold NaN once among 192 numbers, in sample ${spoiltPlace} of the batch (counted from 0), which is row ${read[4 * 5 + spoiltPlace]}.`;
    expect(notices.filter((text) => text.includes('step 5'))).toEqual([
      expect.stringContaining(`At step 5 the loss is NaN. ${finding}`),
    ]);
    expect(await readFile(join(run, 'notices.log'), 'utf8')).toContain(`step 5: At step 5 the loss is NaN. `);
    const [line, ...more] = (await readFile(join(run, 'bad-steps.jsonl'), 'utf8')).trim().split('\n');
    expect(more).toEqual([]);
    expect(JSON.parse(line!)).toEqual({
      step: 5,
      loss: 'NaN',
      gradNorm: 'NaN',
      epoch: 25 / 17,
      finding: expect.stringContaining(finding),
    });
    const { records } = await readMetrics(join(run, 'metrics.jsonl'));
    expect(records.map(({ step, skipped }) => [step, skipped])).toEqual([
      [1, 0],
      [2, 0],
      [3, 0],
      [4, 0],
      [6, 1],
      [7, 1],
      [8, 1],
    ]);
    expect(metrics).toMatchObject({ step: 8, skipped: 1 });
    expect(JSON.stringify(records)).not.toContain('NaN');
  });

  it('saves at the next good step instead, and goes on from any checkpoint to the bit', async () => {
    const runs = await temporaryFolder();
    const source = spoilt(stripes(), [1, 4]);
    const backend = referenceBackend();
    const saving = { checkpointEvery: 2, keepCheckpoints: 9 };
    const { run } = await train(withTrain(saving), { runs, source, backend });
    expect((await readdir(checkpointFolder(run))).toSorted()).toEqual(
      [2, 5, 6, 8].map((step) => `step-000000${step}`),
    );
    const expected = await checkpointDigests(run, steps);
    for (const stopAt of [2, 3, 5, 6]) {
      const controller = new AbortController();
      const stopped = await train(withTrain(saving, `stopped-at-${stopAt}`), {
        runs,
        source,
        backend,
        signal: controller.signal,
        onStep: ({ step }) => step === stopAt && controller.abort(),
      });
      expect(stopped).toMatchObject({ step: stopAt, finished: false });
      const { metrics } = await resume(stopped.run, { source, backend });
      expect(metrics).toMatchObject({ step: steps, skipped: 2 });
      expect(await checkpointDigests(stopped.run, steps)).toEqual(expected);
    }
  });

  it('is saved where it ends with one', async () => {
    const runs = await temporaryFolder();
    const source = spoilt(stripes(), [8]);
    const result = await train(withTrain({ sampleEvery: 8 }), { runs, source, backend: referenceBackend() });
    expect(result).toMatchObject({ step: 8, finished: true, metrics: { step: 7 } });
    expect(result.checkpoint).toMatch(/step-0000008$/);
    expect(result.samples).toMatch(/step-0000008\.png$/);
    await checkSaved(result.run, await stateAfter(config, referenceBackend(), allBut(8)));
  });

  it('has nothing to log where no step counts', async () => {
    const runs = await temporaryFolder();
    const source = spoilt(stripes(), [1, 2]);
    const result = await train(withTrain({ steps: 2 }), { runs, source, backend: referenceBackend() });
    expect(result).toMatchObject({ step: 2, finished: true, metrics: undefined });
    expect((await readMetrics(join(result.run, 'metrics.jsonl'))).records).toEqual([]);
  });
});
