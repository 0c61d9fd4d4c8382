// From the files of a checkpoint to a backend's buffers.
import type { Backend, Buffer, Buffers } from '../backends/backend.ts';
import { checkTable } from '../nn/fixed-table.ts';
import type { Module } from '../nn/module.ts';
import { fileError, formatShape } from '../tensor/errors.ts';
import { describeNonFinite } from '../tensor/finite.ts';
import { disposeAll } from '../tensor/lifetime.ts';
import { sameShape, sizeOf } from '../tensor/shape.ts';
import type { StoredTensors } from '../tensor/stored-tensor.ts';
import { toFloat32 } from '../tensor/to-float32.ts';
import { averageTensor, groupAverages } from './averages.ts';
import { type OwnedTensor, type OwnedTensors, type StepState, partsOf } from './owned-state.ts';
import {
  type CheckpointPart,
  type OpenPart,
  type RunStore,
  type StoredCheckpoint,
  inMemory,
} from './run-store.ts';
import type { StageSpan } from './stage-span.ts';

const NOT_FINITE =
  'Move the checkpoint away, so that the one before it is taken, or sample with --checkpoint';

const NOT_WHOLE = 'Move the checkpoint away, so that the one before it is taken';

/**
 * Puts a checkpoint's tensors back where a `Snapshot` found them. A further average that the checkpoint has not begins as if the
 * weights had always been those of the checkpoint.
 * @param state of tensors nothing else is read than what is here of it
 * @param onNotice is told of such averages
 * @throws RectiflowError naming the file and the tensors that do not fit the model
 */
export async function restoreSnapshot(
  state: StepState,
  saved: StoredCheckpoint,
  onNotice: (text: string) => void = () => {},
): Promise<void> {
  const { model, buffers } = state;
  const parts = partsOf(state);
  for (const part of ['model', 'ema'] as const) await restorePart(saved, part, parts[part], model);
  await restorePart(saved, 'optimizer', parts.optimizer);
  await restoreAverages(buffers, parts.averages, saved, onNotice);
}

/**
 * Puts back the last checkpoint of a run that trains.
 * @param onNotice is told of newer ones that are damaged
 * @throws RectiflowError where there is none that is intact
 */
export async function restoreLatest(
  training: StepState & { readonly span?: StageSpan | undefined },
  store: RunStore,
  onNotice: (text: string) => void,
): Promise<StoredCheckpoint> {
  const latest = await store.latest(({ message }) => onNotice(message));
  const saved = training.span?.adapt(latest) ?? latest;
  await restoreSnapshot(training, saved);
  return saved;
}

async function restoreAverages(
  weights: Buffers,
  averages: OwnedTensors,
  saved: StoredCheckpoint,
  onNotice: (text: string) => void,
): Promise<void> {
  const stored = (await saved.open('averages')) ?? inMemory(saved.path, new Map());
  const known = groupAverages(stored.slots);
  const restored = new Map(averages);
  for (const [name, group] of groupAverages(averages)) {
    if (known.has(name)) continue;
    onNotice(`${saved.path}: has no average ${name}, which begins with the weights of step ${saved.step}.`);
    for (const [parameter, { buffer, held }] of group) {
      const all = buffer && (await weights.get(parameter)!.read());
      await buffer?.write(all!.subarray(held.start, held.end));
      restored.delete(averageTensor(name, parameter));
    }
  }
  await fill(restored, stored);
}

/** Loads weights onto a backend, for sampling; the caller disposes of them. @param origin where they are from, for errors */
export async function loadWeights(
  backend: Backend,
  model: Module,
  stored: StoredTensors,
  origin: string,
): Promise<Buffers> {
  const weights = new Map(
    model.parameters.map(({ name, shape }) => [name, backend.allocate({ shape, dtype: 'float32' })]),
  );
  try {
    await fill(
      new Map([...weights].map(([name, buffer]) => [name, allOf(buffer)])),
      inMemory(origin, stored),
      model,
    );
    return weights;
  } catch (error) {
    await disposeAll(weights.values());
    throw error;
  }
}

function allOf(buffer: Buffer): OwnedTensor {
  const { shape } = buffer;
  const all = { start: 0, end: sizeOf(shape) };
  return { shape, held: all, own: all, buffer };
}

async function restorePart(
  saved: StoredCheckpoint,
  part: CheckpointPart,
  tensors: OwnedTensors,
  model?: Module,
): Promise<void> {
  const stored = await saved.open(part);
  if (stored === undefined) throw fileError(saved.path, `has no ${part}`, NOT_WHOLE);
  // What an optimizer keeps may have overflowed, and training go on all the same.
  await fill(tensors, stored, { tables: model?.tables, mayBeInfinite: part === 'optimizer' });
}

interface FillOptions extends Pick<Module, 'tables'> {
  /** Whether numbers may be none. */
  readonly mayBeInfinite?: boolean;
}

/** @param options with the tables that may be among the tensors; they have no buffers */
async function fill(
  wanted: OwnedTensors,
  { origin, slots, read }: OpenPart,
  { tables = [], mayBeInfinite = false }: FillOptions = {},
): Promise<void> {
  const isTable = (name: string): boolean => tables.some((table) => table.name === name);
  const problems = [
    ...[...wanted].flatMap(([name, { shape }]) => {
      const tensor = slots.get(name);
      if (tensor === undefined) return `${name} is missing`;
      if (sameShape(tensor.shape, shape)) return [];
      return `${name} has shape ${formatShape(tensor.shape)}, the model ${formatShape(shape)}`;
    }),
    ...[...slots.keys()]
      .filter((name) => !wanted.has(name) && !isTable(name))
      .map((name) => `${name} is not of this model`),
  ];
  if (problems.length > 0) {
    const shown =
      problems.slice(0, 5).join('; ') + (problems.length > 5 ? `; and ${problems.length - 5} more` : '');
    const advice = 'Has config.json of the run been edited? Undo it';
    throw fileError(origin, `does not fit the model: ${shown}`, advice);
  }
  for (const table of tables) if (slots.has(table.name)) checkTable(table, await read(table.name), origin);
  for (const [name, { shape, held, buffer }] of wanted) {
    if (buffer === undefined) continue;
    const isAll = held.end - held.start === sizeOf(shape);
    const tensor = await read(name, isAll ? undefined : held);
    const odd = mayBeInfinite ? undefined : await describeNonFinite(new Map([[name, tensor]]));
    if (odd !== undefined) throw fileError(origin, odd, NOT_FINITE);
    await buffer.write(toFloat32(tensor));
  }
}
