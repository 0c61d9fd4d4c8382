// One bit of one file of a run that was stopped is flipped; then it is resumed.
import { cp, readFile, readdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import { ownPidSpace } from '../../src/runs/lock-record.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { RectiflowError } from '../../src/tensor/errors.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointDigests, stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const source = stripes();
const STEPS = 8;
const LAST = 6;
/** `npm run test:crash` sets it. */
const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 4);

let folder: string;
let stopped: string;
let expected: Record<string, string>;
let copies = 0;

beforeAll(async () => {
  folder = await temporaryFolder();
  const config = {
    ...tinyStripes,
    train: { ...tinyStripes.train, steps: STEPS, logEvery: 1, checkpointEvery: 2 },
  };
  const whole = await train({ ...config, name: 'whole' }, { runs: folder, source, backend });
  expected = await checkpointDigests(whole.run, STEPS);
  const controller = new AbortController();
  const onStep = ({ step }: { step: number }): void => {
    if (step === LAST) controller.abort();
  };
  const { signal } = controller;
  stopped = (await train({ ...config, name: 'stopped' }, { runs: folder, source, backend, signal, onStep }))
    .run;
  // Of a process that was killed: no pid is so large.
  const since = '2025-01-01T00:00:00.000Z';
  const identity = { pid: 2 ** 22 + 1, host: hostname(), pidSpace: await ownPidSpace(), started: 'boot 1' };
  const lock = { ...identity, owner: '0a0b0c0d', since, renewed: since };
  await writeFile(join(stopped, `lock-${lock.pid}-0a0b0c0d.json`), JSON.stringify(lock));
});

interface Outcome {
  /** What was said before the end, and the error if it ended with one. */
  readonly told: string;
  /** Whether the weights are those of a run to which nothing happened; undefined after an error. */
  readonly isEqual: boolean | undefined;
}

/** @param at any whole number: the byte is this one, modulo the length of the file */
async function resumeWithFlip(file: string, at: number, bit: number): Promise<Outcome> {
  const run = join(folder, `copy-${copies++}`);
  await cp(stopped, run, { recursive: true });
  const path = join(run, file);
  const bytes = await readFile(path);
  bytes[at % bytes.length]! ^= 1 << bit;
  await writeFile(path, bytes);
  const told: string[] = [];
  const impatience = new AbortController();
  const onNotice = (text: string): void => {
    told.push(text);
    // The lock may now be that of another host, which is waited for.
    if (text.includes('is held by')) impatience.abort();
  };
  try {
    await resume(run, { source, backend, onNotice, signal: impatience.signal });
  } catch (error) {
    // Anything else is shown with its stack, as a fault of ours.
    if (!(error instanceof RectiflowError) || error.code === 'internal') throw error;
    return { told: [...told, error.message].join('\n'), isEqual: undefined };
  }
  const weights = await checkpointDigests(run, STEPS).catch(() => undefined);
  const isEqual = isDeepStrictEqual(weights, expected);
  return { told: told.join('\n'), isEqual };
}

function check(
  find: () => string | Promise<string>,
  times: number,
  judge: (outcome: Outcome, file: string) => void,
): Promise<void> {
  const anywhere = fc.noBias(fc.nat());
  const property = fc.asyncProperty(anywhere, fc.nat(7), async (at, bit) => {
    const file = await find();
    judge(await resumeWithFlip(file, at, bit), file);
  });
  return fc.assert(property, { numRuns: times * ROUNDS, endOnFailure: true });
}

async function findIn(run: string, prefix: string): Promise<string> {
  return (await readdir(run)).find((name) => name.startsWith(prefix))!;
}

describe('a flipped bit', { timeout: 60_000 + 5_000 * ROUNDS }, () => {
  it.each(['model.safetensors', 'ema.safetensors', 'optimizer.safetensors', 'state.json'])(
    'in %s of the last checkpoint: it is named, the one before is taken, and the end is the same',
    (name) =>
      check(
        () => join('checkpoints', `step-000000${LAST}`, name),
        2,
        ({ told, isEqual }, file) => {
          expect(told).toContain(file);
          expect(isEqual).toBe(true);
        },
      ),
  );

  it('in an earlier checkpoint changes nothing', () =>
    check(
      () => join('checkpoints', 'step-0000004', 'model.safetensors'),
      1,
      ({ isEqual }) => expect(isEqual).toBe(true),
    ));

  it('in config.json: changes nothing, or is told', () =>
    check(
      () => 'config.json',
      10,
      ({ told, isEqual }, file) => {
        if (!isEqual) expect(told).toContain(file);
      },
    ));

  it.each(['metrics.jsonl', 'events.out.tfevents'])('in %s: the weights are the same', (prefix) =>
    check(
      () => findIn(stopped, prefix),
      2,
      ({ isEqual }) => expect(isEqual).toBe(true),
    ),
  );

  it('in the lock of a killed process: the run goes on, or the lock is named', () =>
    check(
      () => findIn(stopped, 'lock-'),
      2,
      ({ told, isEqual }, file) => {
        if (!isEqual) expect(told).toContain(file);
      },
    ));
});
