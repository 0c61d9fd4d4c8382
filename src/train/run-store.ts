// Where a run is kept: what training saves and takes up again, and what a store of its own has to do.
import type { Pace } from '../tensor/pace.ts';
import type { RectiflowError } from '../tensor/errors.ts';
import { type Range, type StoredTensor, type StoredTensors, pieceOf } from '../tensor/stored-tensor.ts';
import type { BadStep } from './bad-steps.ts';

type NeededPart = 'model' | 'ema' | 'optimizer';
export type CheckpointPart = NeededPart | 'averages';

/** All that a run needs to go on as if it had not stopped. */
export interface Checkpoint extends Readonly<Record<NeededPart, StoredTensors>> {
  /** Averages beside the main one, where the run keeps any. */
  readonly averages?: StoredTensors | undefined;
  /** Optimizer steps done. */
  readonly step: number;
  /** Plain JSON: the sampler's position and whatever else is no tensor. */
  readonly state: Readonly<Record<string, unknown>>;
  /** Stored in the header of each weights file. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Tensors that are read when they are asked for: better not in memory as a whole beside what they are read for. */
export interface OpenTensors {
  /** By name, the shape of the whole. */
  readonly slots: ReadonlyMap<string, { readonly shape: readonly number[] }>;
  /** @param name of one of the slots @returns all of it that is here */
  read(name: string): Promise<StoredTensor>;
}

/** A part of a checkpoint. */
export interface OpenPart extends OpenTensors {
  /** How errors call it: its file. */
  readonly origin: string;
  /**
   * @param name of one of the slots
   * @param range of a piece that is wanted; all of it by default
   */
  read(name: string, range?: Range): Promise<StoredTensor>;
}

/** @param origin where they are from, for errors */
export function inMemory(origin: string, tensors: StoredTensors): OpenPart {
  const read = async (name: string, range?: Range): Promise<StoredTensor> => {
    const tensor = tensors.get(name)!;
    return range ? pieceOf(tensor, range) : tensor;
  };
  return { origin, slots: tensors, read };
}

/** A checkpoint that is whole. */
export interface StoredCheckpoint {
  /** How people call it: its path. */
  readonly path: string;
  readonly step: number;
  readonly state: Readonly<Record<string, unknown>>;
  /** @returns undefined where it has no such part */
  open(part: CheckpointPart): Promise<OpenPart | undefined>;
}

/** Which checkpoints of a run stay when a newer one is saved. */
export interface Retention {
  /** As many of the newest. */
  readonly keepCheckpoints: number;
  /** And all whose step is a multiple of this; 0: no more than the newest. */
  readonly keepEvery: number;
  /** And those of these steps; none by default. */
  readonly keepSteps?: readonly number[] | undefined;
}

/** Whether the checkpoint of a step stays, however many are newer. */
export function isKept(step: number, { keepEvery, keepSteps = [] }: Retention): boolean {
  return (keepEvery > 0 && step % keepEvery === 0) || keepSteps.includes(step);
}

/** The checkpoints that a save at step `step` removes. Later ones are of a future that the run has left. @param steps ascending */
export function outdated(steps: readonly number[], step: number, retention: Retention): number[] {
  const until = steps.filter((candidate) => candidate <= step);
  const old = until.slice(0, Math.max(0, until.length - retention.keepCheckpoints));
  return old.filter((each) => !isKept(each, retention));
}

/** `MemoryStore` keeps a run in memory, a `RunFolder` of the package for Node.js on the disk. */
export interface RunStore {
  /** How people call the run: the path of its folder. */
  readonly path: string;
  /** Where bad steps are told, for messages. */
  readonly badStepsPath: string;
  /** @throws RectiflowError of the code `run` where the run is no longer there, or no longer ours: nothing is to be written then */
  check(): Promise<void>;
  /** Makes anew what somebody removed of the run's places. Throws as `check` does. */
  mend(onNotice: (text: string) => void): Promise<void>;
  /**
   * Saves a checkpoint as a whole, then drops old ones. Its tensors may change as soon as the promise settles.
   * @param pace where training goes on meanwhile
   * @returns how people call it
   * @throws RectiflowError where it cannot be saved; nothing of it is left then, and those that were there remain
   */
  save(checkpoint: Checkpoint, retention: Retention, pace?: Pace): Promise<string>;
  /**
   * In place of `save`, of ranks that save a checkpoint together and of which this one has nothing that may be saved: none saves it.
   * @param problem what the others' `save` throws
   */
  abandon?(problem: Error): Promise<void>;
  /**
   * The newest checkpoint that is intact.
   * @param onDamaged is told of each newer one that is not
   * @throws RectiflowError where there is none
   */
  latest(onDamaged?: (problem: RectiflowError) => void): Promise<StoredCheckpoint>;
  /** Whether a checkpoint is still there. @param path as `save` returned it */
  has(path: string): Promise<boolean>;
  /**
   * Keeps the power-function averages of a step, to make averages of other lengths of them after the run.
   * @param updates optimizer steps that the averages have seen
   * @param averages by `averageTensor`
   * @throws RectiflowError of the code `file` where they cannot be kept
   */
  storeAverages(step: number, updates: number, averages: OpenTensors): Promise<void>;
  /** Drops averages of later steps: they are of a future that the run has left. */
  dropLaterAverages(step: number): Promise<void>;
  /** Keeps what is known of a step that changed nothing. Throws as `check` does, and not where it cannot be kept. */
  noteBadStep(step: BadStep): Promise<void>;
}
