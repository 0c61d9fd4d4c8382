// What one rank would do of a step alone, by how many ranks there are on its machine.
import type { Backend } from '../../../backends/backend.ts';
import type { CpuBackend } from '../../../backends/cpu/index.ts';
import { type TrainingOptions, withTraining } from '../../../runner/prepare-run.ts';
import { withBackend } from '../../parts.ts';
import { timeSteps } from '../steps.ts';
import type { StepWork } from './cost.ts';
import { threadsOf } from './scaling.ts';

/** Bytes of a number, and how often an update reads and writes those of a parameter: AdamW its gradient, weight, two moments and average. */
const [float32, touched, touchedByAverage] = [4, 9, 3];

export interface WorkOptions {
  /** Seconds of a step. */
  readonly step: number;
  readonly parameters: number;
  /** Averages beside the main one. */
  readonly averages: number;
  readonly parts: number;
  /** Bytes per second that are copied. */
  readonly copying: number;
}

/** An update is as fast as its numbers go through memory, as those of a copy do, each of which is read and written. */
export function workOf({ step, parameters, averages, parts, copying }: WorkOptions): StepWork {
  const bytes = float32 * parameters * (touched + touchedByAverage * averages);
  return { step, parameters, parts, update: Math.min(step / 2, bytes / (2 * copying)) };
}

/** Threads of a backend, which there are as many cores for. */
export function coresOf(backend: Backend): number {
  return backend.name === 'cpu' ? (backend as CpuBackend).threads : 1;
}

export interface TimingOptions {
  /** What is trained; undefined where nothing is to be timed. */
  readonly training: Omit<TrainingOptions, 'backend'> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For each number of threads. */
  readonly seconds: number;
}

/**
 * Seconds of a step by ranks on a machine, each with its share of the cores. Where nothing is timed, half of the threads are taken to be
 * half as fast.
 * @param alone seconds of a step with all of the cores
 */
export async function stepsByRanks(
  counts: readonly number[],
  { alone, cores }: { readonly alone: number; readonly cores: number },
  timing: TimingOptions,
): Promise<(onMachine: number) => number> {
  const byThreads = new Map([[cores, alone]]);
  for (const threads of new Set(counts.map((count) => threadsOf(cores, count)))) {
    if (byThreads.has(threads)) continue;
    byThreads.set(threads, (await timeWith(threads, timing)) ?? (alone * cores) / threads);
  }
  return (onMachine) => byThreads.get(threadsOf(cores, onMachine))!;
}

async function timeWith(threads: number, timing: TimingOptions): Promise<number | undefined> {
  const { training, signal, seconds } = timing;
  if (training === undefined) return undefined;
  const { config } = training;
  return withBackend({ ...config, backend: { ...config.backend, threads } }, {}, (backend) =>
    withTraining({ ...training, backend }, async (prepared) => {
      const { step } = await timeSteps(prepared, { signal, seconds });
      return step;
    }),
  );
}
