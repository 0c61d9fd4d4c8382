// A run keeps how its GPU computes, and goes on with that. On SwiftShader, where nothing is measured: what is chosen is given.
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { Backend, TuningRecord, TuningStore } from '../../src/backends/backend.ts';
import { backendOn } from '../../src/backends/webgpu/index.ts';
import { trace } from '../../src/program/index.ts';
import { type TrainOptions, nodeWebGpuBackend, ops, replay, resume, sample, train } from '../../src/index.ts';
import { temporaryFolder } from '../support/cli.ts';
import { testGpu } from '../support/gpu.ts';
import { checkpointDigests, stripes, tinyStripes } from '../support/tiny-run.ts';

const steps = 4;
const slow = { timeout: 120_000 };
/** Rows of 40 elements, which invocations may share: by how many, sums are of another order. */
const config = {
  ...tinyStripes,
  model: { ...tinyStripes.model, width: 40 },
  train: { ...tinyStripes.train, steps, logEvery: 1 },
};

const tuned = (cache?: TuningStore): Backend =>
  backendOn(testGpu.gpu!, { tuning: 'on', tuningBudget: 0, ...(cache && { tuningStore: cache }) });

async function trained(backend: Backend, options: TrainOptions = {}): Promise<string> {
  const runs = await temporaryFolder();
  const { run } = await train(config, { source: stripes(), runs, backend, ...options });
  return run;
}

const fileOf = (run: string): string => join(run, 'tuning.json');
const recordOf = (run: string): TuningRecord => JSON.parse(readFileSync(fileOf(run), 'utf8')) as TuningRecord;

/** A cache that says of rows that 8 invocations share them, and of all else what a run's file does. */
async function sharedRows(run: string): Promise<TuningStore> {
  const { devices } = recordOf(run);
  const [[device, choices]] = Object.entries(devices) as [[string, TuningRecord['devices'][string]]];
  const changed = Object.entries(choices).map(([key, choice]) => [
    key,
    key.startsWith('rows ') ? { ...choice, way: '8' } : choice,
  ]);
  const record = { version: 1, devices: { [device]: Object.fromEntries(changed) } };
  return { name: 'the cache', read: async () => record };
}

describe.skipIf(testGpu.skip)('how the GPU of a run computes', slow, () => {
  it('is kept before its first step, and used when it goes on, whatever the cache says', async () => {
    let early: TuningRecord | undefined;
    const runs = await temporaryFolder();
    const first = await trained(tuned(), {
      runs,
      onStep: ({ step }) => {
        if (step === 1) early = recordOf(join(runs, config.name));
      },
    });
    // What samples need comes with them.
    expect(recordOf(first)).toMatchObject(early!);
    const cache = await sharedRows(first);
    const whole = await trained(tuned(cache));
    expect(await checkpointDigests(whole, steps)).not.toEqual(await checkpointDigests(first, steps));
    const stop = new AbortController();
    const stopped = await trained(tuned(cache), {
      signal: stop.signal,
      onStep: ({ step }) => step === 2 && stop.abort(),
    });
    await resume(stopped, { source: stripes(), backend: tuned() });
    expect(await checkpointDigests(stopped, steps)).toEqual(await checkpointDigests(whole, steps));

    const before = await readFile(fileOf(whole), 'utf8');
    const { steps: again } = await replay(whole, 1, steps, { source: stripes(), backend: tuned() });
    expect(again.map(({ isEqual }) => isEqual)).toEqual(Array.from({ length: steps }, () => true));
    const made = async (backend: Backend) =>
      (await sample(whole, { labels: [0, 2], steps: 2, seed: 1, backend })).values;
    const byRun = await made(tuned());
    expect(byRun).toEqual(await made(tuned(cache)));
    expect(byRun).not.toEqual(await made(backendOn(testGpu.gpu!)));
    expect(await readFile(fileOf(whole), 'utf8')).toBe(before);
  });

  it('is found anew where its file is damaged, which is said', async () => {
    const stop = new AbortController();
    const run = await trained(tuned(), {
      signal: stop.signal,
      onStep: ({ step }) => step === 2 && stop.abort(),
    });
    const before = recordOf(run);
    await writeFile(fileOf(run), '{"version": 1, "dev');
    const told: string[] = [];
    const backend = backendOn(testGpu.gpu!, {
      tuning: 'on',
      tuningBudget: 0,
      onNotice: (text) => told.push(text),
    });
    const { step } = await resume(run, { source: stripes(), backend });
    expect(step).toBe(steps);
    expect(told).toEqual([
      `${fileOf(run)} does not say how this GPU is fastest: it is damaged, as it is no JSON. What it held is chosen anew, and numbers may ` +
        'differ in their last bits.',
    ]);
    // Beside them there are those of samples, which are made at the end.
    expect(recordOf(run)).toMatchObject(before);
  });

  it("is kept in the user's cache, which may be damaged", async () => {
    const folder = await temporaryFolder();
    vi.stubEnv('XDG_CACHE_HOME', folder);
    const file = join(folder, 'rectiflow', 'webgpu-tuning.json');
    const started = async (): Promise<string[]> => {
      const told: string[] = [];
      const backend = await nodeWebGpuBackend({
        tuning: 'on',
        tuningBudget: Infinity,
        onNotice: (text) => told.push(text),
      });
      const traced = trace('rows', (graph) => ({ y: ops.softmax(graph.input('x', [2, 33])) }));
      await backend.compile(traced, new Map());
      await backend.dispose();
      return told;
    };
    try {
      const tuning = expect.stringContaining(`1 kind of work. What was found is kept in ${file}.`);
      expect(await started()).toEqual([tuning]);
      expect(await started()).toEqual([]);
      await writeFile(file, 'damaged');
      expect(await started()).toEqual([expect.stringContaining(`${file} does not say`), tuning]);
      expect(await started()).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});
