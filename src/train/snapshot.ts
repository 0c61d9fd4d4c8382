// Between a backend's buffers and the files of a checkpoint.
import type { Backend, Buffer, Buffers } from '../backends/backend.ts';
import { checkTable, storedTables } from '../nn/fixed-table.ts';
import type { Module } from '../nn/module.ts';
import { fileError, formatShape } from '../tensor/errors.ts';
import { describeNonFinite } from '../tensor/finite.ts';
import { disposeAll } from '../tensor/lifetime.ts';
import { sameShape, sizeOf } from '../tensor/shape.ts';
import type { StoredTensors } from '../tensor/stored-tensor.ts';
import { toFloat32 } from '../tensor/to-float32.ts';
import { averageBuffers, averageTensor, groupAverages } from './averages.ts';
import type { Checkpoint, CheckpointPart, OpenPart, StoredCheckpoint } from './run-store.ts';
import { averagedWeights } from './state.ts';
import { isTotal } from './step.ts';

const NOT_FINITE =
  'Move the checkpoint away, so that the one before it is taken, or sample with --checkpoint';

const NOT_WHOLE = 'Move the checkpoint away, so that the one before it is taken';

/** Which buffers each file of a checkpoint holds, by the names that they have in it. */
function partsOf(model: Module, buffers: Buffers): Readonly<Record<CheckpointPart, Buffers>> {
  const weights = new Map(model.parameters.map(({ name }) => [name, buffers.get(name)!]));
  const ema = averagedWeights(model, buffers);
  const averages = averageBuffers(buffers);
  const others = new Set([
    ...[...weights.keys()].flatMap((name) => [name, averageTensor(undefined, name)]),
    ...averages.keys(),
  ]);
  const slots = [...buffers].filter(([name]) => !others.has(name) && !isTotal(name));
  return { model: weights, ema, optimizer: new Map(slots), averages };
}

/**
 * A training step's whole state as a checkpoint stores it: a copy, in memory that is allocated once, so that each `take` replaces
 * the copy before it; or the buffers' own memory, which is that state until the next step runs.
 */
export class Snapshot {
  readonly parts: Pick<Checkpoint, CheckpointPart>;
  /** Whether training may go on while the parts are written. */
  readonly isCopy: boolean;
  readonly #view: Backend['view'];
  readonly #copies = new Map<Buffer, Float32Array>();

  /** @param view where nothing is to be copied */
  constructor(model: Module, buffers: Buffers, view?: Backend['view']) {
    this.isCopy = view === undefined;
    this.#view = view;
    const { model: weights, ema, optimizer, averages } = partsOf(model, buffers);
    const tables = storedTables(model);
    this.parts = {
      model: new Map([...tables, ...this.#store(weights)]),
      ema: new Map([...tables, ...this.#store(ema)]),
      optimizer: this.#store(optimizer),
      ...(averages.size > 0 && { averages: this.#store(averages) }),
    };
  }

  async take(): Promise<void> {
    for (const [buffer, copy] of this.#copies) await buffer.readInto(copy);
  }

  #store(buffers: Buffers): StoredTensors {
    return new Map(
      [...buffers].map(([name, buffer]) => {
        const data = this.#view?.(buffer) ?? this.#copyOf(buffer);
        return [name, { dtype: 'F32', shape: buffer.shape, data }];
      }),
    );
  }

  #copyOf(buffer: Buffer): Float32Array {
    const copy = this.#copies.get(buffer) ?? new Float32Array(sizeOf(buffer.shape));
    // Touched now: the system finds memory when it is written to first, for which no step should have to wait.
    copy.fill(0);
    this.#copies.set(buffer, copy);
    return copy;
  }
}

/**
 * Puts a checkpoint's tensors back where a `Snapshot` found them. A further average that the checkpoint has not begins as if the
 * weights had always been those of the checkpoint.
 * @param onNotice is told of such averages
 * @throws RectiflowError naming the file and the tensors that do not fit the model
 */
export async function restoreSnapshot(
  model: Module,
  buffers: Buffers,
  saved: StoredCheckpoint,
  onNotice: (text: string) => void = () => {},
): Promise<void> {
  const parts = partsOf(model, buffers);
  for (const part of ['model', 'ema'] as const) await restorePart(saved, part, parts[part], model);
  await restorePart(saved, 'optimizer', parts.optimizer);
  await restoreAverages(buffers, parts.averages, saved, onNotice);
}

async function restoreAverages(
  weights: Buffers,
  averages: Buffers,
  saved: StoredCheckpoint,
  onNotice: (text: string) => void,
): Promise<void> {
  const stored = (await saved.open('averages')) ?? inMemory(saved.path, new Map());
  const known = groupAverages(stored.slots);
  const restored = new Map(averages);
  for (const [name, group] of groupAverages(averages)) {
    if (known.has(name)) continue;
    onNotice(`${saved.path}: has no average ${name}, which begins with the weights of step ${saved.step}.`);
    for (const [parameter, buffer] of group) {
      await buffer.write(await weights.get(parameter)!.read());
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
    await fill(weights, inMemory(origin, stored), model);
    return weights;
  } catch (error) {
    await disposeAll(weights.values());
    throw error;
  }
}

async function restorePart(
  saved: StoredCheckpoint,
  part: CheckpointPart,
  buffers: Buffers,
  model?: Module,
): Promise<void> {
  const stored = await saved.open(part);
  if (stored === undefined) throw fileError(saved.path, `has no ${part}`, NOT_WHOLE);
  // What an optimizer keeps may have overflowed, and training go on all the same.
  await fill(buffers, stored, { tables: model?.tables, mayBeInfinite: part === 'optimizer' });
}

/** @param origin where they are from, for errors */
export function inMemory(origin: string, tensors: StoredTensors): OpenPart {
  return { origin, slots: tensors, read: async (name) => tensors.get(name)! };
}

interface FillOptions extends Pick<Module, 'tables'> {
  /** Whether numbers may be none. */
  readonly mayBeInfinite?: boolean;
}

/** @param options with the tables that may be among the tensors; they have no buffers */
async function fill(
  buffers: Buffers,
  { origin, slots, read }: OpenPart,
  { tables = [], mayBeInfinite = false }: FillOptions = {},
): Promise<void> {
  const isTable = (name: string): boolean => tables.some((table) => table.name === name);
  const problems = [
    ...[...buffers].flatMap(([name, { shape }]) => {
      const tensor = slots.get(name);
      if (tensor === undefined) return `${name} is missing`;
      if (sameShape(tensor.shape, shape)) return [];
      return `${name} has shape ${formatShape(tensor.shape)}, the model ${formatShape(shape)}`;
    }),
    ...[...slots.keys()]
      .filter((name) => !buffers.has(name) && !isTable(name))
      .map((name) => `${name} is not of this model`),
  ];
  if (problems.length > 0) {
    const shown =
      problems.slice(0, 5).join('; ') + (problems.length > 5 ? `; and ${problems.length - 5} more` : '');
    const advice = 'Has config.json of the run been edited? Undo it';
    throw fileError(origin, `does not fit the model: ${shown}`, advice);
  }
  for (const table of tables) if (slots.has(table.name)) checkTable(table, await read(table.name), origin);
  for (const [name, buffer] of buffers) {
    const tensor = await read(name);
    const odd = mayBeInfinite ? undefined : await describeNonFinite(new Map([[name, tensor]]));
    if (odd !== undefined) throw fileError(origin, odd, NOT_FINITE);
    await buffer.write(toFloat32(tensor));
  }
}
