// From a backend's buffers to the files of a checkpoint.
import type { Backend, Buffer } from '../backends/backend.ts';
import { storedTables } from '../nn/fixed-table.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import { type StoredTensor, type StoredTensors, pieceOf } from '../tensor/stored-tensor.ts';
import { powerAverages } from './averages.ts';
import { type OwnedTensor, type OwnedTensors, type StepState, isDivided, partsOf } from './owned-state.ts';
import { type Range, ownedRange } from './ranks/ownership.ts';
import type { Checkpoint, CheckpointPart, OpenTensors } from './run-store.ts';

/**
 * A training step's state as a checkpoint stores it, all of it or the pieces that a rank owns: a copy, in memory that is allocated
 * once, so that each `take` replaces the copy before it; or the buffers' own memory, which is that state until the next step runs.
 */
export class Snapshot {
  readonly parts: Pick<Checkpoint, CheckpointPart>;
  /** Whether training may go on while the parts are written. */
  readonly isCopy: boolean;
  readonly #view: Backend['view'];
  readonly #state: StepState;
  readonly #copies = new Map<Buffer, { readonly copy: Float32Array; readonly of: Range }>();
  /** Of weights only a piece is kept, and a buffer is read as a whole. */
  #whole: Float32Array = new Float32Array(0);

  /** @param view where nothing is to be copied */
  constructor(state: StepState, view?: Backend['view']) {
    this.isCopy = view === undefined;
    this.#view = view;
    this.#state = state;
    const { model: weights, ema, optimizer, averages } = partsOf(state);
    const tables = this.#ownTables(storedTables(state.model));
    this.parts = {
      model: new Map([...tables, ...this.#store(weights)]),
      ema: new Map([...tables, ...this.#store(ema)]),
      optimizer: this.#store(optimizer),
      ...(averages.size > 0 && { averages: this.#store(averages) }),
    };
  }

  async take(): Promise<void> {
    for (const [buffer, { copy, of }] of this.#copies) {
      const size = sizeOf(buffer.shape);
      if (copy.length === size) await buffer.readInto(copy);
      else {
        const all = this.#whole.subarray(0, size);
        await buffer.readInto(all);
        copy.set(all.subarray(of.start, of.end));
      }
    }
  }

  #ownTables(tables: StoredTensors): StoredTensors {
    const { own } = this.#state.extent ?? {};
    if (own === undefined || !isDivided(this.#state)) return tables;
    return new Map(
      [...tables].map(([name, table]) => [name, pieceOf(table, ownedRange(table.shape, own))] as const),
    );
  }

  #store(tensors: OwnedTensors): StoredTensors {
    return new Map([...tensors].map(([name, tensor]) => [name, this.#stored(tensor)]));
  }

  #stored({ shape, held, own, buffer }: OwnedTensor): StoredTensor {
    const isCut = isDivided(this.#state);
    const place = { dtype: 'F32', shape, ...(isCut && { start: own.start }) } as const;
    if (buffer === undefined || own.end === own.start) return { ...place, data: new Float32Array(0) };
    const range = { start: own.start - held.start, end: own.end - held.start };
    const view = this.#view?.(buffer).subarray(range.start, range.end);
    return { ...place, data: view ?? this.#copyOf(buffer, range) };
  }

  #copyOf(buffer: Buffer, of: Range): Float32Array {
    const copy = this.#copies.get(buffer)?.copy ?? new Float32Array(of.end - of.start);
    // Touched now: the system finds memory when it is written to first, for which no step should have to wait.
    copy.fill(0);
    this.#copies.set(buffer, { copy, of });
    if (copy.length < sizeOf(buffer.shape)) this.#makeRoom(buffer.shape);
    return copy;
  }

  #makeRoom(shape: Shape): void {
    if (sizeOf(shape) > this.#whole.length) this.#whole = new Float32Array(sizeOf(shape)).fill(0);
  }
}

/** The power-function averages of a step's state, or a rank's pieces of them, as they are when they are read. */
export function openPowerAverages(state: StepState): OpenTensors {
  const slots = powerAverages(partsOf(state).averages);
  return {
    slots,
    async read(name) {
      const { shape, own, buffer } = slots.get(name)!;
      const data = Float32Array.from(buffer ? await buffer.read() : []);
      return { dtype: 'F32', shape, data, ...(isDivided(state) && { start: own.start }) };
    },
  };
}
