import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { train } from '../../src/api/train.ts';
import type { Backend } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { stepName, verifyCheckpoint } from '../../src/runs/checkpoint.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { temporaryFolder } from './cli.ts';
import { pictureFolder } from './picture-folder.ts';

/** Steps of `stagedConfig`. */
export const stagedSteps = 7;

/**
 * 8x8 in patches of 2, 8x12 in patches of 4, 16x16 in patches of 4: patches grow, then the grid.
 * @param pictures of `pictureFolder`
 */
const stagedConfig = (pictures: string, changes: ConfigInput = {}): ConfigInput => ({
  name: 'grown',
  data: { source: 'folder', path: pictures, channels: 1, size: 16 },
  model: { width: 16, depth: 1, heads: 2, patchSize: 4 },
  stages: [
    { imageSize: 8, patchSize: 2, steps: 3, batchSize: 5, learningRate: 2e-3 },
    { imageSize: [8, 12], steps: 2 },
    { steps: 2, learningRate: 5e-4, warmupSteps: 2 },
  ],
  train: { batchSize: 4, logEvery: 1, sampleEvery: 0, checkpointEvery: 1, keepCheckpoints: stagedSteps },
  optimizer: { learningRate: 1e-3, warmupSteps: 1 },
  ema: { decays: [0.9], power: [0.1], snapshotEvery: 1 },
  sample: { steps: 1, perClass: 1 },
  loader: { workers: 1, prefetch: 1 },
  growth: { moments: 'kept' },
  ...changes,
});

const quiet = { backend: referenceBackend() };

export interface StagedRuns {
  /** Where they are. */
  readonly runs: string;
  readonly quiet: { readonly backend: Backend };
  staged(changes?: ConfigInput): ConfigInput;
  /** Trains to the end. */
  trained(config: ConfigInput): Promise<{ readonly run: string; readonly notices: readonly string[] }>;
}

/** Pictures, and a folder for runs that learn from them. */
export async function stagedRuns(): Promise<StagedRuns> {
  const [pictures, runs] = [await pictureFolder(), await temporaryFolder()];
  return {
    runs,
    quiet,
    staged: (changes) => stagedConfig(pictures, changes),
    trained: async (config) => {
      const notices: string[] = [];
      const onNotice = (text: string): void => void notices.push(text);
      const { run, finished } = await train(config, { runs, ...quiet, onNotice });
      expect(finished).toBe(true);
      return { run, notices };
    },
  };
}

export const checkpointOf = (run: string, step: number): ReturnType<typeof verifyCheckpoint> =>
  verifyCheckpoint(join(run, 'checkpoints', stepName(step)));

/** All that a run leaves behind that does not depend on time. */
export async function endOf(run: string): Promise<unknown> {
  const { records } = await readMetrics(join(run, 'metrics.jsonl'));
  const steps = records.map(({ step, stage, loss, gradNorm, learningRate, epoch, updateRatio }) => {
    return { step, stage, loss, gradNorm, learningRate, epoch, updateRatio };
  });
  const { files, state } = await checkpointOf(run, stagedSteps);
  const { seconds: _, trainedWith: __, ...counts } = state;
  const averages: Record<string, string> = {};
  for (const name of (await readdir(join(run, 'averages'))).toSorted())
    averages[name] = (await readFile(join(run, 'averages', name))).toString('base64');
  return { files, counts, steps, averages };
}
