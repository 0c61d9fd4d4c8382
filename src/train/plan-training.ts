// How training fits into the memory, before any of it is allocated: whether the state is copied for checkpoints, and how a step's
// samples are divided.
import { RectiflowError } from '../tensor/errors.ts';
import type { HostMemory } from './host-memory.ts';
import type { TrainingConfig } from './settings.ts';
import {
  type EstimateOptions,
  type MemoryEstimate,
  bytesTaken,
  estimateMemory,
  mebibytes,
} from './memory-estimate.ts';

/** The share of what is available that `train.memoryMiB: auto` allows: other programs go on, and estimates err. */
const share = 0.9;
/** Estimates err by less: beyond this multiple of what the machine has, nobody need try. */
const hopeless = 1.5;

export interface TrainingPlan {
  readonly estimate: MemoryEstimate;
  /** Bytes that this process may have in all. */
  readonly available: number;
  /** Samples of an optimizer step, and how many of them are computed at a time. */
  readonly batchSize: number;
  readonly microBatch: number;
  /** Whether checkpoints are written beside training, from a copy of the state; else steps wait for them. */
  readonly savesBeside: boolean;
}

/**
 * Resolves `train.microBatch`. auto: as few micro-batches as fit into `train.memoryMiB`, of sizes as equal as can be. The copy for
 * checkpoints is made where it fits, too, and goes before samples are divided: without it steps wait now and then, no more.
 * On a device whose memory is its own, `train.memoryMiB` is of that memory, which nobody else tells; and no value is larger than the device
 * allows.
 * @param memory what is known of the machine's; without, it has no end
 * @throws RectiflowError where auto finds that not even one sample at a time fits, where training takes far more than the
 * machine has and `train.memoryMiB` does not say so, and where a value is larger than a device allows
 */
export function planTraining(
  options: Omit<EstimateOptions, 'microBatch' | 'held'>,
  memory?: HostMemory,
): TrainingPlan {
  const { batchSize, shards = 1, memoryMiB } = options.config.train;
  const ofShard = batchSize / shards;
  const { microBatch: wanted = ofShard } = options.config.train;
  const [held, available] = [memory?.used() ?? 0, memory?.available() ?? Infinity];
  const budget = { memoryMiB, ofMachine: share * available };
  const planOf = (microBatch: number, savesBeside: boolean): TrainingPlan => {
    const estimate = estimateMemory({ ...options, held, microBatch, savesBeside });
    return { estimate, available, batchSize, microBatch, savesBeside };
  };
  const undivided = wanted === 'auto' ? ofShard : Math.min(wanted, ofShard);
  const roomy = planOf(undivided, true);
  if (fitsInto(budget, roomy.estimate)) return roomy;
  const savesBeside = options.backend.view === undefined;
  const inParts = (parts: number): TrainingPlan => planOf(Math.ceil(ofShard / parts), savesBeside);
  const tight = savesBeside ? roomy : planOf(undivided, false);
  if (wanted !== 'auto') {
    checkLargest(tight.estimate, 'Set train.microBatch lower, or to auto');
    checkHope(tight.estimate, memoryMiB, memory?.installed() ?? Infinity);
    return tight;
  }
  if (fitsInto(budget, tight.estimate)) return tight;
  let fits = inParts(ofShard);
  checkLargest(fits.estimate, 'Make the model or its images smaller, or sample.perClass lower');
  if (!fitsInto(budget, fits.estimate)) throw nothingFits(fits.estimate, budget);
  // The fewest parts that fit are more than `tooFew` and no more than `parts`.
  let [tooFew, parts] = [1, ofShard];
  while (parts - tooFew > 1) {
    const middle = Math.floor((tooFew + parts) / 2);
    const plan = inParts(middle);
    if (fitsInto(budget, plan.estimate)) [parts, fits] = [middle, plan];
    else tooFew = middle;
  }
  return fits;
}

/** What training may take. */
interface Budget {
  readonly memoryMiB: number | 'auto';
  /** Of the machine's memory, in bytes, where nobody says otherwise. */
  readonly ofMachine: number;
}

/** Bytes of the memory in which programs compute; undefined where nobody knows. */
function mostBytes({ memoryMiB, ofMachine }: Budget, { device }: MemoryEstimate): number | undefined {
  if (memoryMiB !== 'auto') return memoryMiB * 2 ** 20;
  return device?.isSeparate ? undefined : ofMachine;
}

function fitsInto(budget: Budget, estimate: MemoryEstimate): boolean {
  const { total, device } = estimate;
  if (device && device.largest > device.most) return false;
  if (device?.isSeparate && total > budget.ofMachine) return false;
  return bytesTaken(estimate) <= (mostBytes(budget, estimate) ?? Infinity);
}

function checkLargest({ device }: MemoryEstimate, advice: string): void {
  if (device === undefined || device.largest <= device.most) return;
  throw new RectiflowError(
    'memory',
    `training has a value of ${mebibytes(device.largest)}, and the GPU allows ${mebibytes(device.most)} in one. ${advice}.`,
  );
}

function checkHope({ total }: MemoryEstimate, memoryMiB: number | 'auto', installed: number): void {
  if (total <= hopeless * installed || (memoryMiB !== 'auto' && total <= memoryMiB * 2 ** 20)) return;
  throw new RectiflowError(
    'memory',
    `training takes about ${mebibytes(total)} of memory, and this machine has ${mebibytes(installed)} with its swap space. ` +
      'Make the model, its images or the batch smaller, or set train.microBatch to auto. If it is to be tried all the same, set ' +
      `train.memoryMiB to ${Math.ceil(total / 2 ** 20)}.`,
  );
}

function nothingFits(estimate: MemoryEstimate, budget: Budget): RectiflowError {
  const isOfMachine = estimate.device?.isSeparate === true && estimate.total > budget.ofMachine;
  const isFree = isOfMachine || budget.memoryMiB === 'auto';
  const needed = isOfMachine ? estimate.total : bytesTaken(estimate);
  const most = isOfMachine ? budget.ofMachine : mostBytes(budget, estimate)!;
  const found = isFree ? 'the memory that is free allows' : 'train.memoryMiB allows';
  const raise = isFree ? 'end other programs' : 'raise train.memoryMiB';
  return new RectiflowError(
    'memory',
    `train.microBatch auto: training with one sample at a time takes about ${mebibytes(needed)}, ${found} ${mebibytes(most)}. ` +
      `Set train.memory to recompute, make the model smaller, or ${raise}.`,
  );
}

/** A config with what was chosen in place of auto: to be recorded, so that a run goes on as it began. */
export function withMicroBatch<Config extends TrainingConfig>(
  config: Config,
  { microBatch }: TrainingPlan,
): Config {
  if (config.train.microBatch !== 'auto') return config;
  return { ...config, train: { ...config.train, microBatch } };
}

/** What to tell the user of a plan that does without the copy for checkpoints, or goes beyond what is there. */
export function describeLimits({ estimate, available, savesBeside }: TrainingPlan): string[] {
  const copy = `a copy of the state for checkpoints, ${mebibytes(estimate.checkpoint)}, does not fit into the memory`;
  const taken = `training takes about ${mebibytes(estimate.total)} of memory, and ${mebibytes(available)} are free`;
  const advice = 'Set train.microBatch to auto, or train.memory to recompute';
  return [
    ...(savesBeside ? [] : [`${copy}: steps wait while one is written.`]),
    ...(estimate.total > available ? [`${taken}: it may be ended by the system. ${advice}.`] : []),
  ];
}
