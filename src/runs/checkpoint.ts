import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RectiflowError, fileError, systemProblem } from '../tensor/errors.ts';
import { digestFile, syncDirectory, writeDurably } from '../host/durable.ts';
import type { FileDigest } from '../tensor/file-digest.ts';
import { DAMAGED, FORMAT, checkDigest, encodeState, newestIntact } from '../kept/checkpoint-state.ts';
import { STATE, cannotBeSaved, filesOf, headerOf, partFile, stepName, stepsOf } from '../kept/layout.ts';
import { readState } from './checkpoint-state.ts';
import type { Pace } from '../tensor/pace.ts';
import {
  readSafetensors,
  readSafetensorsHeader,
  readSafetensorsTensor,
  writeSafetensors,
} from '../formats/safetensors-file.ts';
import type { StoredTensors } from '../tensor/stored-tensor.ts';
import {
  type Checkpoint,
  type CheckpointPart,
  type OpenPart,
  type Retention,
  type StoredCheckpoint,
  outdated,
} from '../train/run-store.ts';

export { stepName };

/** A checkpoint on the disk whose checksums were right when it was found. */
export interface SavedCheckpoint extends StoredCheckpoint {
  readonly files: Readonly<Record<string, FileDigest>>;
}

const LEFTOVER = /^\.(saving|replaced|removed)-(step-\d+)$/;

export interface SaveOptions {
  /** Of hashing and writing, where something else goes on meanwhile. */
  readonly pace?: Pace | undefined;
  /** Throws where the folder is no longer ours; asked before each part, and before anything is renamed or removed: a save may take minutes. */
  readonly check?: (() => Promise<void>) | undefined;
  /** How the files of its tensors are written; by this process alone by default. */
  readonly write?: WriteFiles | undefined;
}

/**
 * Writes the files of a checkpoint's tensors into a folder that is there, flushed to the disk.
 * @param tensors by the names of the files
 * @param metadata of each of them
 */
export type WriteFiles = (
  folder: string,
  tensors: ReadonlyMap<string, StoredTensors>,
  metadata: Readonly<Record<string, string>>,
  options: Pick<SaveOptions, 'pace' | 'check'>,
) => Promise<Record<string, FileDigest>>;

const writeAlone: WriteFiles = async (folder, tensors, metadata, { pace, check }) => {
  const files: Record<string, FileDigest> = {};
  for (const [file, each] of tensors) {
    await check?.();
    files[file] = await writeSafetensors(join(folder, file), each, metadata, pace);
  }
  return files;
};

/**
 * Writes folder/step-N as a whole: under another name first, flushed to the disk, then renamed. Wherever a crash or a full
 * disk stops it, the checkpoints that were there remain.
 * @returns the checkpoint's path
 * @throws RectiflowError when it cannot be written; nothing of it is left then. What `check` throws
 */
export async function saveCheckpoint(
  folder: string,
  checkpoint: Checkpoint,
  { pace, check, write = writeAlone }: SaveOptions = {},
): Promise<string> {
  const name = stepName(checkpoint.step);
  const path = join(folder, name);
  const saving = join(folder, `.saving-${name}`);
  try {
    await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await removeLeftovers(folder);
    await mkdir(saving);
    const files = await write(saving, filesOf(checkpoint), headerOf(checkpoint), { pace, check });
    const { step, state } = checkpoint;
    const encoded = await encodeState({ format: FORMAT, step, state, files });
    await writeDurably(join(saving, STATE), [Buffer.from(encoded)]);
    await syncDirectory(saving);
    await check?.();
    // One of the same step is there when the run resumed before it, because it was damaged.
    if ((await listCheckpoints(folder)).includes(checkpoint.step))
      await rename(path, join(folder, `.replaced-${name}`));
    await rename(saving, path);
    await syncDirectory(folder);
    await removeLeftovers(folder);
    return path;
  } catch (error) {
    await check?.();
    await removeLeftovers(folder).catch(() => {});
    if (error instanceof RectiflowError) throw error;
    throw cannotBeSaved(path, await listCheckpoints(folder).catch(() => []), error);
  }
}

/** Of the checkpoints up to step `step`, removes all but those to be kept. Later ones are of a future that the run has left. */
export async function removeOldCheckpoints(
  folder: string,
  step: number,
  retention: Retention,
): Promise<void> {
  for (const old of outdated(await listCheckpoints(folder), step, retention)) {
    const removed = join(folder, `.removed-${stepName(old)}`);
    // Renamed first, so that no half-deleted one is ever taken for a checkpoint.
    await rename(join(folder, stepName(old)), removed);
    await rm(removed, { recursive: true, force: true });
  }
}

/** Clears what a crash left. Only for the process that holds the run's lock. */
export async function removeLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder).catch(ignoreMissing);
  for (const name of names) {
    const [, kind, target] = LEFTOVER.exec(name) ?? [];
    if (target === undefined) continue;
    // The crash came between the two renames of a replacement: what was moved aside is still the only one of its step.
    if (kind === 'replaced' && !names.includes(target))
      await rename(join(folder, name), join(folder, target));
    else await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** The steps that have a checkpoint, ascending; whether it is intact is not looked at. */
export async function listCheckpoints(folder: string): Promise<number[]> {
  return stepsOf(await readdir(folder).catch(ignoreMissing));
}

/**
 * The newest checkpoint that is intact, every byte of it compared with its checksum.
 * @param onDamaged is told of each newer one that is not, and what is wrong with it
 * @throws RectiflowError when there is none, with what is wrong with each
 */
export async function latestCheckpoint(
  folder: string,
  onDamaged?: (problem: RectiflowError) => void,
): Promise<SavedCheckpoint> {
  const verify = (name: string): Promise<SavedCheckpoint> => verifyCheckpoint(join(folder, name));
  return newestIntact(folder, await listCheckpoints(folder), verify, onDamaged);
}

/** @throws RectiflowError naming the file that is missing, truncated or changed */
export async function verifyCheckpoint(path: string): Promise<SavedCheckpoint> {
  const saved = await openCheckpoint(path);
  for (const [name, written] of Object.entries(saved.files)) {
    const file = join(path, name);
    const found = await digestFile(file).catch((error: unknown) => {
      throw fileError(file, systemProblem(error), DAMAGED, error);
    });
    checkDigest(file, found, written);
  }
  return saved;
}

/**
 * A checkpoint whose files somebody else has compared with their checksums.
 * @throws RectiflowError when state.json is missing or damaged
 */
export async function openCheckpoint(path: string): Promise<SavedCheckpoint> {
  const { step, state, files } = await readState(join(path, STATE));
  const open = async (part: CheckpointPart): Promise<OpenPart | undefined> =>
    partFile(part) in files ? openPart(join(path, partFile(part))) : undefined;
  return { path, step, state, files, open };
}

/**
 * What a checkpoint tells beside its tensors, which are not looked at: for those who only want to know.
 * @throws RectiflowError when state.json is missing or damaged
 */
export async function readCheckpointState(path: string): Promise<Omit<StoredCheckpoint, 'open'>> {
  const { step, state } = await readState(join(path, STATE));
  return { path, step, state };
}

/** Whether a checkpoint has a part. */
export function hasCheckpointPart(saved: SavedCheckpoint, part: CheckpointPart): boolean {
  return partFile(part) in saved.files;
}

/** One part of a checkpoint: `ema` or `model` to sample, all three to go on. */
export async function readCheckpointPart(
  saved: SavedCheckpoint,
  part: CheckpointPart,
): Promise<StoredTensors> {
  return (await readSafetensors(join(saved.path, partFile(part)))).tensors;
}

async function openPart(origin: string): Promise<OpenPart> {
  const header = await readSafetensorsHeader(origin);
  const slots = new Map(header.slots.map((slot) => [slot.name, slot]));
  const read: OpenPart['read'] = (name, range) =>
    readSafetensorsTensor(origin, header, slots.get(name)!, range);
  return { origin, slots, read };
}

function ignoreMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
