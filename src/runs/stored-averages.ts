// The power-function average of any length, made of those that a run has stored on its way.
import { join } from 'node:path';
import { type SavedCheckpoint, hasCheckpointPart, readCheckpointPart } from './checkpoint.ts';
import { readSafetensorsHeader, readSafetensorsTensor } from '../formats/safetensors-file.ts';
import type { StoredTensor, StoredTensors } from '../tensor/stored-tensor.ts';
import { toFloat32 } from '../tensor/to-float32.ts';
import { longestPower, powerLength, powerOf } from '../optim/ema.ts';
import { type PowerProfile, combineProfiles } from '../optim/post-hoc.ts';
import { fileError, formatShape, runError } from '../tensor/errors.ts';
import { sameShape } from '../tensor/shape.ts';
import { averageTensor, groupAverages, parseAverageTensor } from '../train/averages.ts';
import { digestKey } from '../kept/averages.ts';
import { stepOfStored } from '../kept/layout.ts';
import { averagesFolder, digestOfAverage, namesIn } from './averages-file.ts';

const DAMAGED = 'Remove it: averages are then made of the other ones';
/** Above this share of its norm a profile is another than the one that was asked for. */
const TOLERABLE_ERROR = 0.3;

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
    .filter((name) => (stepOfStored(name) ?? Infinity) < saved.step)
    .toSorted();
  const files = [last];
  for (const name of earlier) {
    const grow = growSince(stepOfStored(name)!);
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
      if (isDigested && header.metadata[digestKey(tensor)] !== digestOfAverage(tensor, updates, stored))
        throw fileError(path, `${tensor} does not match its SHA-256`, DAMAGED);
      const own = grow?.(parseAverageTensor(tensor)!.parameter, stored) ?? stored;
      if (sameShape(own.shape, shape)) return toFloat32(own);
      const problem = `${tensor} has shape ${formatShape(own.shape)}, the model ${formatShape(shape)}`;
      throw fileError(path, problem, DAMAGED);
    },
  };
}

function noPower(saved: SavedCheckpoint): Error {
  const advice = 'They are kept where ema.power is set, as in [0.05, 0.1], with ema.snapshotEvery';
  return runError(saved.path, 'holds no power-function averages', advice);
}
