// How a step's samples are divided so that training fits into the memory, before any of it is allocated.
import { freemem } from 'node:os';
import { RectiflowError } from '../tensor/errors.ts';
import type { RunConfig } from './config.ts';
import { type EstimateOptions, type MemoryEstimate, estimateMemory, mebibytes } from './memory-estimate.ts';

/** The share of what is available that `train.memoryMiB: auto` allows: other programs go on, and estimates err. */
const share = 0.9;

export interface TrainingPlan {
  readonly estimate: MemoryEstimate;
  /** Bytes that this process may have in all. */
  readonly available: number;
  /** Samples of an optimizer step, and how many of them are computed at a time. */
  readonly batchSize: number;
  readonly microBatch: number;
}

/**
 * Resolves `train.microBatch`. auto: as few micro-batches as fit into `train.memoryMiB`, of sizes as equal as can be.
 * @param available bytes that this process may have in all
 * @throws RectiflowError where auto finds that not even one sample at a time fits
 */
export function planTraining(
  options: Omit<EstimateOptions, 'microBatch'>,
  available: number = availableMemory(),
): TrainingPlan {
  const { batchSize, microBatch: wanted = batchSize, memoryMiB } = options.config.train;
  const held = process.memoryUsage.rss();
  const inParts = (parts: number): TrainingPlan => planOf(Math.ceil(batchSize / parts));
  const planOf = (microBatch: number): TrainingPlan => {
    const estimate = estimateMemory({ held, ...options, microBatch });
    return { estimate, available, batchSize, microBatch };
  };
  if (wanted !== 'auto') return planOf(Math.min(wanted, batchSize));

  const budget = memoryMiB === 'auto' ? share * available : memoryMiB * 2 ** 20;
  const whole = inParts(1);
  if (whole.estimate.total <= budget) return whole;
  let fits = inParts(batchSize);
  if (fits.estimate.total > budget) throw nothingFits(fits.estimate, budget, memoryMiB);
  // The fewest parts that fit are more than `tooFew` and no more than `parts`.
  let [tooFew, parts] = [1, batchSize];
  while (parts - tooFew > 1) {
    const middle = Math.floor((tooFew + parts) / 2);
    const plan = inParts(middle);
    if (plan.estimate.total <= budget) [parts, fits] = [middle, plan];
    else tooFew = middle;
  }
  return fits;
}

function nothingFits({ total }: MemoryEstimate, budget: number, memoryMiB: number | 'auto'): RectiflowError {
  const found = memoryMiB === 'auto' ? 'the memory that is free allows' : 'train.memoryMiB allows';
  const raise = memoryMiB === 'auto' ? 'end other programs' : 'raise train.memoryMiB';
  return new RectiflowError(
    'memory',
    `train.microBatch auto: training with one sample at a time takes about ${mebibytes(total)}, ${found} ${mebibytes(budget)}. ` +
      `Set train.memory to recompute, make the model smaller, or ${raise}.`,
  );
}

/** A config with what was chosen in place of auto: to be recorded, so that a run goes on as it began. */
export function withMicroBatch(config: RunConfig, { microBatch }: TrainingPlan): RunConfig {
  if (config.train.microBatch !== 'auto') return config;
  return { ...config, train: { ...config.train, microBatch } };
}

/** What to tell the user of a plan that goes beyond what is there; undefined where it does not. */
export function describeShortage({ estimate, available }: TrainingPlan): string | undefined {
  if (estimate.total <= available) return undefined;
  return (
    `training takes about ${mebibytes(estimate.total)} of memory, and ${mebibytes(available)} are free: it may be ended by the ` +
    'system. Set train.microBatch to auto, or train.memory to recompute.'
  );
}

/** Bytes that this process may have in all: what it has, and what the system and its limits leave. */
export function availableMemory(): number {
  const used = process.memoryUsage.rss();
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(freemem() + used, limit) : freemem() + used;
}
