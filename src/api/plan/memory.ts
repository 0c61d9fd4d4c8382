// Whether a run fits into the memory of this machine, and what to change where it does not.
import { machineMemory } from '../../host/machine-memory.ts';
import { RectiflowError } from '../../tensor/errors.ts';
import type { HostMemory } from '../../train/host-memory.ts';
import {
  type EstimateOptions,
  type MemoryEstimate,
  bytesTaken,
  estimateMemory,
  mebibytes,
} from '../../train/memory-estimate.ts';
import { type TrainingPlan, planTraining } from '../../train/plan-training.ts';

export interface MemoryPlan {
  readonly fits: boolean;
  /** Bytes at the peak, by what they are for. */
  readonly estimate: MemoryEstimate;
  /** Bytes that this process may have in all. */
  readonly available: number;
  /** Samples that are computed at a time; where nothing fits, one. */
  readonly microBatch: number;
  /** Whether checkpoints are written beside training, from a copy of the state. */
  readonly savesBeside: boolean;
  /** What to change, each a sentence; empty where it fits. */
  readonly remedies: readonly string[];
}

type Options = Omit<EstimateOptions, 'microBatch' | 'held' | 'savesBeside'>;

export function planMemory(options: Options, memory: HostMemory = machineMemory): MemoryPlan {
  const plan = planOrUndefined(options, memory);
  const { estimate, microBatch, savesBeside } = plan ?? smallest(options, memory);
  const available = memory.available();
  const fits = plan !== undefined && estimate.total <= available;
  const remedies = fits ? [] : remediesOf(options, memory, estimate);
  return { fits, estimate, available, microBatch, savesBeside, remedies };
}

/** @returns undefined where training would refuse it */
function planOrUndefined(options: Options, memory: HostMemory): TrainingPlan | undefined {
  try {
    return planTraining(options, memory);
  } catch (error) {
    if (error instanceof RectiflowError && error.code === 'memory') return undefined;
    throw error;
  }
}

/** What is asked for, or one sample at a time where that is to be chosen, whatever there is. A copy for checkpoints is the first that goes. */
function smallest(options: Options, memory: HostMemory): TrainingPlan {
  const { batchSize, shards = 1, microBatch: wanted = batchSize } = options.config.train;
  const microBatch = wanted === 'auto' ? 1 : Math.min(wanted, batchSize / shards);
  const estimate = estimateMemory({ ...options, held: memory.used(), microBatch, savesBeside: false });
  return { estimate, available: memory.available(), batchSize, microBatch, savesBeside: false };
}

/** The changes that help, the least of them first; where none does, what would be needed. */
function remediesOf(options: Options, memory: HostMemory, estimate: MemoryEstimate): string[] {
  const { config } = options;
  const changes = [
    { set: 'train.microBatch=auto', train: { microBatch: 'auto' } },
    { set: 'train.memory=recompute', train: { memory: 'recompute' } },
    {
      set: 'train.microBatch=auto and train.memory=recompute',
      train: { microBatch: 'auto', memory: 'recompute' },
    },
  ] as const;
  for (const { set, train } of changes) {
    const changed = {
      ...options,
      config: { ...config, train: { ...config.train, ...train } },
      programs: undefined,
    };
    const plan = planOrUndefined(changed, memory);
    if (plan === undefined || plan.estimate.total > plan.available) continue;
    return [
      `With ${set} it takes ${mebibytes(bytesTaken(plan.estimate))}, ${plan.microBatch} of ${plan.batchSize} samples at a time.`,
    ];
  }
  const { device } = estimate;
  if (device && device.largest > device.most)
    return [
      `Its largest value is of ${mebibytes(device.largest)}, and the GPU allows ${mebibytes(device.most)}: make the model or its images smaller, or sample.perClass lower.`,
    ];
  return [
    `Weights, moments and averages alone take ${mebibytes(estimate.state)}: make the model smaller, or take a machine with more memory. ` +
      'More ranks do not help, as each of them has all of these.',
  ];
}
