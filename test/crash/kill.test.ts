// Kills a run many times, with real processes, and compares what becomes of it with one that nothing happened to.
//
// CRASH_ROUNDS says how often (`npm run test:crash` sets it), CRASH_SEED at which instants.
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { listCheckpoints, stepName, verifyCheckpoint } from '../../src/runs/checkpoint.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { checkpointFolder } from '../../src/runs/run-folder.ts';
import { rectiflow, startRectiflow, temporaryFolder } from '../support/cli.ts';
import { npy } from '../support/npy.ts';
import { randomValues } from '../support/random.ts';
import { checkpointDigests } from '../support/tiny-run.ts';
import { killAtRandom, partsOfSaves, uniform } from './killing.ts';

const KILLS = Number(process.env.CRASH_ROUNDS ?? 4);
const SEED = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000);
const STEPS = 40;
const config = {
  name: 'crash',
  data: { source: 'array', path: 'images.npy' },
  model: { width: 16, depth: 2, heads: 2, patchSize: 4 },
  // Nearly all of the time goes into saves.
  train: { steps: STEPS, batchSize: 5, logEvery: 1, sampleEvery: 0, checkpointEvery: 1 },
  sample: { steps: 1, perClass: 1 },
  backend: { threads: 1 },
};

let folder: string;
let run: string;
let expected: Awaited<ReturnType<typeof endOf>>;
/** How long a process lives that nobody kills, in milliseconds. */
let lifetime: number;

beforeAll(async () => {
  folder = await temporaryFolder();
  run = join(folder, 'runs', config.name);
  // 17 images, which no batch divides.
  const values = Float32Array.from(randomValues(17 * 64, 1));
  await writeFile(join(folder, 'images.npy'), npy('<f4', [17, 1, 8, 8], values));
  await writeFile(join(folder, 'crash.json'), JSON.stringify(config));
  const start = performance.now();
  const { code, stderr } = await rectiflow(folder, ['train', 'crash.json']);
  if (code !== 0) throw new Error(stderr);
  lifetime = performance.now() - start;
  expected = await endOf();
  await rm(run, { recursive: true });
});

it(
  `${KILLS} times kill -9 at random instants: the run goes on each time, and ends to the bit as if nothing had happened`,
  { timeout: 60_000 + 20_000 * KILLS },
  async () => {
    const random = uniform(SEED);
    const count = { kills: 0, resumed: 0, inSave: 0, finished: 0 };
    /** Kills that no process has gone on after yet: some are killed again before they do. */
    let waiting = 0;
    while (count.kills < KILLS || waiting > 0) {
      const last = await checkIntact();
      const parts = await partsOfSaves(run);
      const isRun = existsSync(join(run, 'config.json'));
      const child = startRectiflow(folder, isRun ? ['resume', run] : ['train', 'crash.json']);
      if (count.kills < KILLS) await killAtRandom(child, run, lifetime, random);
      const { code, stdout, stderr } = await child.finished;
      const where = `seed ${SEED}, kill ${count.kills}`;
      // It is shown once the checkpoint has been read.
      const [started, , from] = /^run .*?(, from step (\d+))?$/m.exec(stdout) ?? [];
      const notes = stdout.match(/^note: .*/gm)?.filter((note) => !/no checkpoint was saved yet/.test(note));
      if (started !== undefined) {
        expect({ where, from: Number(from ?? 0) }).toEqual({ where, from: last });
        count.resumed += waiting;
        waiting = 0;
      }
      expect({ where, code, stderr, notes: notes ?? [] }).toEqual({
        where,
        code: code === null ? null : 0,
        stderr: '',
        notes: [],
      });
      if (code === 0) {
        expect({ where, ...(await endOf()) }).toEqual({ where, ...expected });
        count.finished++;
        await rm(run, { recursive: true });
        continue;
      }
      count.kills++;
      waiting++;
      const left = await partsOfSaves(run);
      if (left.some((part) => !parts.includes(part))) count.inSave++;
    }
    process.stderr.write(
      `seed ${SEED}: ${count.resumed} of ${count.kills} resumed, ${count.inSave} in the middle of a save; ` +
        `${count.finished} runs ended, all to the bit\n`,
    );
    expect(count).toMatchObject({ kills: KILLS, resumed: KILLS });
    // Kills that never hit a save would prove little.
    if (KILLS >= 50) expect(count.inSave).toBeGreaterThan(KILLS / 10);
  },
);

/** Every checkpoint that is in its place is whole. @returns the last step that has one, 0 without */
async function checkIntact(): Promise<number> {
  const checkpoints = checkpointFolder(run);
  const steps = await listCheckpoints(checkpoints);
  for (const step of steps) await verifyCheckpoint(join(checkpoints, stepName(step)));
  return steps.at(-1) ?? 0;
}

/** What a run ends with: the bytes of its last checkpoint, and of every step what does not depend on time. */
async function endOf() {
  const { records, damaged } = await readMetrics(join(run, 'metrics.jsonl'));
  const steps = records.map(({ step, loss, gradNorm, learningRate, epoch }) => [
    step,
    loss,
    gradNorm,
    learningRate,
    epoch,
  ]);
  return { weights: await checkpointDigests(run, STEPS), steps, damaged };
}
