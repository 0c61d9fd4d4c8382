import type { HostArray } from '../../tensor/dtype.ts';
import { sizeOf } from '../../tensor/shape.ts';
import { bytesOf } from '../../program/index.ts';
import type { TensorType } from '../../tensor/tensor.ts';
import { HeldBuffer } from '../held-buffer.ts';
import type { Machine } from './machine.ts';

export class WasmBuffer extends HeldBuffer<Machine> {
  /** Where it begins, in bytes. */
  readonly start: number;

  /** @throws RectiflowError where there is not so much memory */
  constructor(type: TensorType, machine: Machine) {
    const bytes = bytesOf(type);
    const start = machine.memory.allocate(bytes);
    super(type, machine, () => machine.memory.release(start, bytes));
    this.start = start;
  }

  read(): Promise<HostArray> {
    return this.use(() => this.#numbers.slice());
  }

  readInto(target: HostArray): Promise<void> {
    return this.use(() => target.set(this.#numbers), target);
  }

  write(values: HostArray): Promise<void> {
    return this.use(() => this.#numbers.set(values), values);
  }

  get #numbers(): HostArray {
    return numbersAt(this.machine, this, this.start);
  }
}

/** A tensor's numbers where they lie, until memory grows. @param start in bytes */
export function numbersAt(
  { memory }: Pick<Machine, 'memory'>,
  { shape, dtype }: TensorType,
  start: number,
): Float32Array | Int32Array {
  const Numbers = dtype === 'int32' ? Int32Array : Float32Array;
  return new Numbers(memory.linear.buffer, start, sizeOf(shape));
}
