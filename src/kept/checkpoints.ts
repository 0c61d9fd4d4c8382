// The checkpoints of a run that is kept in a folder which knows of no renaming: state.json is written last, and without it there is none.
import {
  allocate,
  allocateSlot,
  bytesOf,
  encodeSafetensors,
  headerLength,
  parseSafetensorsHeader,
  safetensorsLayout,
} from '../formats/safetensors.ts';
import { RectiflowError, fileError, systemProblem } from '../tensor/errors.ts';
import type { FileDigest } from '../tensor/file-digest.ts';
import { sha256 } from '../tensor/sha256.ts';
import type { Range, StoredTensor, StoredTensors } from '../tensor/stored-tensor.ts';
import {
  type Checkpoint,
  type CheckpointPart,
  type OpenPart,
  type Retention,
  type StoredCheckpoint,
  outdated,
} from '../train/run-store.ts';
import {
  DAMAGED,
  FORMAT,
  type State,
  checkDigest,
  encodeState,
  newestIntact,
  parseState,
} from './checkpoint-state.ts';
import type { KeptFolder } from './folder.ts';
import {
  CHECKPOINTS,
  STATE,
  cannotBeSaved,
  filesOf,
  headerOf,
  partFile,
  stepName,
  stepsOf,
} from './layout.ts';

/** The folder of a step's checkpoint. */
export function checkpointPath(step: number): string {
  return `${CHECKPOINTS}/${stepName(step)}`;
}

/** The steps that have a whole checkpoint, ascending; whether it is intact is not looked at. */
export async function wholeCheckpoints(folder: KeptFolder): Promise<number[]> {
  const whole: number[] = [];
  for (const step of stepsOf(await folder.list(CHECKPOINTS)))
    if ((await folder.size(`${checkpointPath(step)}/${STATE}`)) !== undefined) whole.push(step);
  return whole;
}

/**
 * Saves a checkpoint, then drops old ones, and those that were cut while they were saved.
 * @returns how people call it
 * @throws RectiflowError when it cannot be saved; nothing of it is left then, and those that were there remain
 */
export async function saveCheckpoint(
  folder: KeptFolder,
  checkpoint: Checkpoint,
  retention: Retention,
): Promise<string> {
  const { step, state } = checkpoint;
  const path = checkpointPath(step);
  const parts = filesOf(checkpoint);
  const header = headerOf(checkpoint);
  try {
    await removeCut(folder);
    // One of the same step is there when the run went on from before it, because it was damaged.
    await removeCheckpoint(folder, step);
    const files: Record<string, FileDigest> = {};
    for (const [name, tensors] of parts) {
      const bytes = encodeSafetensors(tensors, header);
      files[name] = { bytes: bytes.length, sha256: await sha256(bytes) };
      await folder.write(`${path}/${name}`, [bytes]);
    }
    const encoded = new TextEncoder().encode(await encodeState({ format: FORMAT, step, state, files }));
    await folder.write(`${path}/${STATE}`, [encoded]);
  } catch (error) {
    await removeCheckpoint(folder, step).catch(() => {});
    if (error instanceof RectiflowError) throw error;
    const steps = await wholeCheckpoints(folder).catch(() => []);
    throw cannotBeSaved(`${folder.path}/${path}`, steps, error, refusal(error, bytesOfAll(parts, header)));
  }
  for (const old of outdated(await wholeCheckpoints(folder), step, retention))
    await removeCheckpoint(folder, old);
  return `${folder.path}/${path}`;
}

/** Of files of tensors with these headers. */
function bytesOfAll(
  files: ReadonlyMap<string, StoredTensors>,
  metadata: Readonly<Record<string, string>>,
): number {
  const layouts = Array.from(files.values(), (tensors) => safetensorsLayout(tensors, metadata));
  return layouts.reduce((sum, { header, dataBytes }) => sum + header.length + dataBytes, 0);
}

/** Why a host kept nothing of so many bytes, and what to do. */
export function refusal(
  error: unknown,
  bytes: number,
): { readonly problem: string; readonly advice: string } {
  const advice = 'Download the run, then remove runs that are kept here, or free space on the disk';
  if ((error as Error).name !== 'QuotaExceededError') return { problem: systemProblem(error), advice };
  const needed = bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  return { problem: `the browser has no room for ${needed} more of this page`, advice };
}

/** What saving left that was cut, by a tab that was closed. */
async function removeCut(folder: KeptFolder): Promise<void> {
  const whole = await wholeCheckpoints(folder);
  for (const step of stepsOf(await folder.list(CHECKPOINTS)))
    if (!whole.includes(step)) await folder.remove(checkpointPath(step));
}

async function removeCheckpoint(folder: KeptFolder, step: number): Promise<void> {
  // First, so that no half-removed one is ever taken for a checkpoint.
  await folder.remove(`${checkpointPath(step)}/${STATE}`);
  await folder.remove(checkpointPath(step));
}

/**
 * The newest checkpoint that is intact, every byte of it compared with its checksum.
 * @param onDamaged is told of each newer one that is not, also of one that was cut while it was saved
 * @throws RectiflowError when there is none, with what is wrong with each
 */
export async function latestCheckpoint(
  folder: KeptFolder,
  onDamaged?: (problem: RectiflowError) => void,
): Promise<StoredCheckpoint> {
  const steps = stepsOf(await folder.list(CHECKPOINTS));
  const verify = (name: string): Promise<StoredCheckpoint> =>
    verifyCheckpoint(folder, `${CHECKPOINTS}/${name}`);
  return newestIntact(`${folder.path}/${CHECKPOINTS}`, steps, verify, onDamaged);
}

async function verifyCheckpoint(folder: KeptFolder, path: string): Promise<StoredCheckpoint> {
  const { step, state, files } = await readState(folder, `${path}/${STATE}`);
  for (const [name, written] of Object.entries(files)) {
    const file = `${path}/${name}`;
    const bytes = await folder.read(file);
    if (bytes === undefined) throw missing(folder, file);
    const found = { bytes: bytes.length, sha256: await sha256(bytes) };
    checkDigest(`${folder.path}/${file}`, found, written);
  }
  const open = async (part: CheckpointPart): Promise<OpenPart | undefined> =>
    partFile(part) in files ? openPart(folder, `${path}/${partFile(part)}`) : undefined;
  return { path: `${folder.path}/${path}`, step, state, open };
}

async function readState(folder: KeptFolder, file: string): Promise<State> {
  const bytes = await folder.read(file);
  if (bytes !== undefined) return parseState(bytes, `${folder.path}/${file}`);
  const problem = 'is missing: the page was closed while the checkpoint was saved';
  throw fileError(`${folder.path}/${file}`, problem, 'The one before it is used, where there is one');
}

/** A tensor is read when it is asked for. */
async function openPart(folder: KeptFolder, file: string): Promise<OpenPart> {
  const origin = `${folder.path}/${file}`;
  const bytesFrom = async (start: number, length: number): Promise<Uint8Array> => {
    const bytes = await folder.read(file, { start, end: start + length });
    if (bytes?.length === length) return bytes;
    throw bytes === undefined ? missing(folder, file) : fileError(origin, 'became shorter', DAMAGED);
  };
  const size = (await folder.size(file)) ?? 0;
  const length = headerLength(await bytesFrom(0, Math.min(8, size)), size, origin);
  const header = parseSafetensorsHeader(await bytesFrom(8, length), size, origin);
  const slots = new Map(header.slots.map((slot) => [slot.name, slot]));
  const read = async (name: string, range?: Range): Promise<StoredTensor> => {
    const slot = slots.get(name)!;
    const data = range ? allocate(slot.dtype, range.end - range.start) : allocateSlot(slot);
    const start = header.dataStart + slot.begin + (range?.start ?? 0) * data.BYTES_PER_ELEMENT;
    bytesOf(data).set(await bytesFrom(start, data.byteLength));
    return { dtype: slot.dtype, shape: slot.shape, data, ...(range && { start: range.start }) };
  };
  return { origin, slots, read };
}

function missing(folder: KeptFolder, file: string): RectiflowError {
  return fileError(`${folder.path}/${file}`, 'no such file', DAMAGED);
}
