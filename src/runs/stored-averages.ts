// Copies of the power-function averages that a run stores on its way, run/averages/step-N.safetensors, and what is made of them.
//
// They are float16: an average is read to be added to others, where its rounding, 2^-12 of a weight, is far below what a profile is
// missed by, and half the size allows twice as many. Each tensor has its SHA-256 in the header.
import { createHash } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type SavedCheckpoint, hasCheckpointPart, readCheckpointPart, stepName } from './checkpoint.ts';
import { areFinite } from '../tensor/finite.ts';
import { syncDirectory } from '../host/durable.ts';
import {
  readSafetensorsHeader,
  readSafetensorsTensor,
  writeSafetensors,
} from '../formats/safetensors-file.ts';
import type { StoredTensor, StoredTensors } from '../tensor/stored-tensor.ts';
import { bytesOf } from '../formats/safetensors.ts';
import { toFloat32 } from '../tensor/to-float32.ts';
import { longestPower, powerLength, powerOf } from '../optim/ema.ts';
import { type PowerProfile, combineProfiles } from '../optim/post-hoc.ts';
import { fileError, formatShape, runError, systemProblem } from '../tensor/errors.ts';
import { toHalfBits } from '../tensor/half.ts';
import { sameShape } from '../tensor/shape.ts';
import { averageTensor, groupAverages, parseAverageTensor } from '../train/averages.ts';
import type { OpenTensors } from '../train/run-store.ts';

const STORED = /^step-(\d{7,})\.safetensors$/;
const TEMPORARY = /\.tmp-\d+$/;
const DAMAGED = 'Remove it: averages are then made of the other ones';
const largestFloat16 = 65504;
/** Above this share of its norm a profile is another than the one that was asked for. */
const TOLERABLE_ERROR = 0.3;

/** The folder of a run's stored averages. */
export function averagesFolder(run: string): string {
  return join(run, 'averages');
}

/**
 * Stores the power-function averages as a whole file, over what a future that the run has left may have stored.
 * @param updates optimizer steps that the averages have seen
 * @param averages by `averageTensor`
 * @throws RectiflowError when it cannot be written; nothing of it is left then
 */
export async function storeAverages(
  run: string,
  step: number,
  updates: number,
  averages: OpenTensors,
): Promise<string> {
  const path = join(averagesFolder(run), `${stepName(step)}.safetensors`);
  const temporary = `${path}.tmp-${process.pid}`;
  const tensors = new Map<string, StoredTensor>();
  const metadata: Record<string, string> = { format: 'pt', updates: String(updates) };
  for (const [tensor, { shape }] of averages.slots) {
    const values = toFloat32(await averages.read(tensor));
    if (!areFinite(values))
      throw fileError(
        path,
        `is not stored: ${tensor} has values that are not finite`,
        'Lower optimizer.learningRate',
      );
    const half = toHalf(values, shape);
    tensors.set(tensor, half);
    metadata[digestKey(tensor)] = digest(tensor, metadata['updates']!, half);
  }
  try {
    // Not the run's folder: one that is gone must not come to life again.
    await mkdir(averagesFolder(run)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await rm(temporary, { force: true });
    await writeSafetensors(temporary, tensors, metadata);
    await rename(temporary, path);
    await syncDirectory(averagesFolder(run));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    const problem = `the averages of step ${step} cannot be stored: ${systemProblem(error)}`;
    throw fileError(path, problem, 'Free some space or check the disk', error);
  }
  return path;
}

/** Clears what a crash left, and what was stored after `step`: it is of a future that the run has left. */
export async function dropLaterAverages(run: string, step: number): Promise<void> {
  for (const name of await namesIn(averagesFolder(run))) {
    const [, stored] = STORED.exec(name) ?? [];
    if (TEMPORARY.test(name) || Number(stored) > step)
      await rm(join(averagesFolder(run), name), { force: true });
  }
}

export interface Reconstruction {
  /** Like `ema.safetensors` of a checkpoint. */
  readonly tensors: StoredTensors;
  /** By how much the profile is missed, as `Combination` has it. */
  readonly error: number;
  /** How many stored averages it is made of, those of the checkpoint included. */
  readonly sources: number;
}

/** A tensor of a parameter as a larger model has it, which the run has become since. */
export type Grow = (parameter: string, tensor: StoredTensor) => StoredTensor;

/**
 * The power-function average of any length at the step of a checkpoint, out of what the run has stored until then. One tensor at a
 * time is in memory beside the result.
 * @param length as `powerOf` takes it
 * @param growSince what has become of parameters since a step, where the model has grown on its way
 * @throws RectiflowError when the run keeps no power-function averages or too few for the length, or a stored one is damaged or of another model
 */
export async function reconstructAverage(
  run: string,
  saved: SavedCheckpoint,
  length: number,
  growSince: (step: number) => Grow | undefined = () => undefined,
): Promise<Reconstruction> {
  if (!hasCheckpointPart(saved, 'averages')) throw noPower(saved);
  const last = await openAverages(join(saved.path, 'averages.safetensors'), false);
  if (last.lengths.length === 0) throw noPower(saved);
  const earlier = (await namesIn(averagesFolder(run)))
    .filter((name) => Number(STORED.exec(name)?.[1] ?? Infinity) < saved.step)
    .toSorted();
  const files = [last];
  for (const name of earlier) {
    const grow = growSince(Number(STORED.exec(name)![1]));
    files.push(await openAverages(join(averagesFolder(run), name), true, grow));
  }
  const sources = files.flatMap((file) =>
    file.lengths.map(({ name, length: own }) => ({ file, name, time: file.time, gamma: powerOf(own) })),
  );
  const { weights, error } = combineProfiles(sources, { time: last.time, gamma: powerOf(length) });
  if (error > TOLERABLE_ERROR) throw missed(saved, length, error, { sources, time: last.time });
  const tensors = new Map(await readCheckpointPart(saved, 'ema'));
  for (const parameter of last.parameters) {
    const { shape } = tensors.get(parameter)!;
    const sum = new Float64Array(tensors.get(parameter)!.data.length);
    for (const [i, { file, name }] of sources.entries()) {
      const values = await file.read(averageTensor(name, parameter), shape);
      for (let k = 0; k < sum.length; k++) sum[k]! += weights[i]! * values[k]!;
    }
    tensors.set(parameter, { dtype: 'F32', shape, data: Float32Array.from(sum) });
  }
  return { tensors, error, sources: sources.length };
}

/** Lengths that are tried, to say which can be had, each so much shorter than the one before. */
const [TRIED, RATIO] = [30, 1.12];

/** @param sources the profiles that there are; time of the one that is wanted */
function missed(
  { path }: SavedCheckpoint,
  length: number,
  error: number,
  { sources, time }: { readonly sources: readonly PowerProfile[]; readonly time: number },
): Error {
  const [nearest] = Array.from({ length: TRIED }, (_, i) => longestPower / RATIO ** i)
    .filter((other) => combineProfiles(sources, { time, gamma: powerOf(other) }).error <= TOLERABLE_ERROR)
    .toSorted((a, b) => Math.abs(Math.log(a / length)) - Math.abs(Math.log(b / length)));
  const other =
    nearest === undefined ? 'Store' : `The nearest that can be is ${nearest.toFixed(3)}. Or store`;
  const problem = `an average of length ${length} cannot be made of the ${sources.length} that were stored until then, which miss its profile by ${(100 * error).toFixed(0)} %`;
  return runError(path, problem, `${other} more often (a smaller ema.snapshotEvery)`);
}

interface StoredAverages {
  readonly time: number;
  readonly lengths: readonly { readonly name: string; readonly length: number }[];
  readonly parameters: readonly string[];
  read(tensor: string, shape: readonly number[]): Promise<Float32Array>;
}

/** @param isDigested whether its header has the digests of its tensors; a checkpoint's files have been compared already */
async function openAverages(path: string, isDigested: boolean, grow?: Grow): Promise<StoredAverages> {
  const header = await readSafetensorsHeader(path);
  const { updates = '' } = header.metadata;
  const slots = new Map(header.slots.map((slot) => [slot.name, slot]));
  const lengths = [...groupAverages(slots)].flatMap(([name, group]) => {
    const length = powerLength(name);
    return length === undefined ? [] : { name, length, parameters: [...group.keys()] };
  });
  if (!/^[1-9]\d*$/.test(updates)) throw fileError(path, 'does not tell how many steps it has seen', DAMAGED);
  return {
    time: Number(updates),
    lengths,
    parameters: lengths[0]?.parameters ?? [],
    async read(tensor, shape) {
      const slot = slots.get(tensor);
      if (slot === undefined) throw fileError(path, `lacks ${tensor}`, DAMAGED);
      const stored = await readSafetensorsTensor(path, header, slot);
      if (isDigested && header.metadata[digestKey(tensor)] !== digest(tensor, updates, stored))
        throw fileError(path, `${tensor} does not match its SHA-256`, DAMAGED);
      const own = grow?.(parseAverageTensor(tensor)!.parameter, stored) ?? stored;
      if (sameShape(own.shape, shape)) return toFloat32(own);
      const problem = `${tensor} has shape ${formatShape(own.shape)}, the model ${formatShape(shape)}`;
      throw fileError(path, problem, DAMAGED);
    },
  };
}

/** A tensor with a value that float16 cannot hold stays float32. */
function toHalf(values: Float32Array, shape: readonly number[]): StoredTensor {
  return values.some((value) => Math.abs(value) > largestFloat16)
    ? { dtype: 'F32', shape, data: values }
    : { dtype: 'F16', shape, data: toHalfBits('float16', values) };
}

const digestKey = (tensor: string): string => `sha256:${tensor}`;

/** Of the values and of what they mean nothing without. */
function digest(tensor: string, updates: string, { data }: StoredTensor): string {
  return createHash('sha256').update(`${tensor}\n${updates}\n`).update(bytesOf(data)).digest('hex');
}

function noPower(saved: SavedCheckpoint): Error {
  const advice = 'They are kept where ema.power is set, as in [0.05, 0.1], with ema.snapshotEvery';
  return runError(saved.path, 'holds no power-function averages', advice);
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw fileError(folder, systemProblem(error), 'Check the path', error);
  });
}
