// On a device that takes a step before the last one's flag is known, training does what it does on one that waits.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import type { Backend, Precision } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { RectiflowError } from '../../src/tensor/errors.ts';
import { spoilt } from '../support/bad-data.ts';
import { temporaryFolder } from '../support/cli.ts';
import { type SlowDevice, slowDevice } from '../support/slow-device.ts';
import { checkpointDigests, stripes, tinyStripes } from '../support/tiny-run.ts';

const steps = 14;
const config = {
  ...tinyStripes,
  train: { ...tinyStripes.train, steps, logEvery: 5, checkpointEvery: 4, keepCheckpoints: 9 },
  ema: { decays: [0.9] },
} satisfies ConfigInput;

interface Outcome {
  readonly digests: Readonly<Record<string, string>>;
  /** Of the logged steps and of the bad ones, without what depends on the clock. */
  readonly logged: readonly unknown[];
  readonly badSteps: string;
  readonly notices: readonly string[];
}

async function outcomeOf(
  input: ConfigInput,
  backend: Backend,
  bad: readonly number[],
  stopAt?: number,
): Promise<Outcome> {
  const runs = await temporaryFolder();
  const notices: string[] = [];
  const source = spoilt(stripes(), bad);
  const onNotice = (text: string): void => void notices.push(text.replaceAll(runs, ''));
  const controller = new AbortController();
  const onStep = ({ step }: { step: number }): void => {
    if (step === stopAt) controller.abort();
  };
  const given = { source, backend, onNotice, onStep };
  let { run } = await train(input, { runs, ...given, signal: controller.signal });
  if (stopAt !== undefined) ({ run } = await resume(run, { source, backend, onNotice }));
  const metrics = await readFile(join(run, 'metrics.jsonl'), 'utf8');
  const logged = metrics
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .map(({ step, loss, gradNorm, epoch, skipped, learningRate }) => ({
      step,
      loss,
      gradNorm,
      epoch,
      skipped,
      learningRate,
    }));
  const badSteps = await readFile(join(run, 'bad-steps.jsonl'), 'utf8').catch(() => '');
  return { digests: await checkpointDigests(run, steps), logged, badSteps, notices };
}

async function compareOutcomes(
  input: ConfigInput,
  bad: readonly number[],
  { stopAt, precision }: { stopAt?: number; precision?: Precision } = {},
): Promise<SlowDevice> {
  const device = slowDevice(precision);
  const wanted = await outcomeOf(input, referenceBackend({ ...(precision && { precision }) }), bad, stopAt);
  expect(await outcomeOf(input, device.backend, bad, stopAt)).toEqual(wanted);
  return device;
}

describe('a device that is handed steps ahead', () => {
  it.each([undefined, 2])('makes the same run, to the bit, with micro-batches of %o', async (microBatch) => {
    const input = { ...config, train: { ...config.train, ...(microBatch && { microBatch }) } };
    const { mostAhead } = await compareOutcomes(input, []);
    expect(mostAhead()).toBe(2);
  });

  it.each([[[2]], [[3]], [[6, 7]], [[3, 8, 13]], [[14]], [[1, 2, 3]]])(
    'leaves out the same steps, and none of those behind them: bad %j',
    async (bad) => {
      await compareOutcomes(config, bad);
    },
  );

  it('goes back to the same checkpoint, and on with the same data', async () => {
    const badSteps = { rollBackAfter: 2, window: 3, stopAfter: 1 };
    await compareOutcomes({ ...config, train: { ...config.train, badSteps } }, [6, 7]);
  });

  it('stops and goes on in the same places', async () => {
    await compareOutcomes(config, [7], { stopAt: 10 });
  });

  it('waits after each step where the scale of the loss follows from it', async () => {
    const input = { ...config, train: { ...config.train, precision: 'fp16' as const } };
    const { mostAhead } = await compareOutcomes(input, [], { precision: 'fp16' });
    expect(mostAhead()).toBe(1);
  });

  it('ends a run that diverges in words', async () => {
    const badSteps = { rollBackAfter: 2, window: 3, stopAfter: 0 };
    const { backend } = slowDevice();
    const source = spoilt(stripes(), [6, 7]);
    const input = { ...config, train: { ...config.train, badSteps } };
    const failed = await train(input, { runs: await temporaryFolder(), source, backend }).catch(
      (error) => error,
    );
    expect(failed).toBeInstanceOf(RectiflowError);
    expect(failed.message).toContain('training diverged');
  });
});
