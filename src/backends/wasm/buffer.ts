import type { HostArray } from '../../tensor/dtype.ts';
import { sizeOf } from '../../tensor/shape.ts';
import { bytesOf, formatType } from '../../program/index.ts';
import type { TensorType } from '../../tensor/tensor.ts';
import type { Buffer } from '../backend.ts';
import { checkValues } from '../checks.ts';
import { Lifetime } from '../../tensor/lifetime.ts';
import type { Machine } from './machine.ts';

export class WasmBuffer implements Buffer {
  readonly shape: TensorType['shape'];
  readonly dtype: TensorType['dtype'];
  /** Where it begins, in bytes. */
  readonly start: number;
  readonly machine: Machine;
  readonly life: Lifetime;

  /** @throws RectiflowError where there is not so much memory */
  constructor(type: TensorType, machine: Machine) {
    const { memory, exclusively, lives } = machine;
    const bytes = bytesOf(type);
    this.shape = type.shape;
    this.dtype = type.dtype;
    this.start = memory.allocate(bytes);
    this.machine = machine;
    const release = (): void => memory.release(this.start, bytes);
    this.life = lives.add(new Lifetime(`the buffer of ${formatType(type)}`, () => exclusively(release)));
  }

  read(): Promise<HostArray> {
    return this.#use((numbers) => numbers.slice());
  }

  readInto(target: HostArray): Promise<void> {
    return this.#use((numbers) => target.set(numbers), target);
  }

  write(values: HostArray): Promise<void> {
    return this.#use((numbers) => numbers.set(values), values);
  }

  dispose(): Promise<void> {
    return this.life.dispose();
  }

  async #use<T>(task: (numbers: HostArray) => T, values?: HostArray): Promise<T> {
    this.life.check();
    if (values !== undefined) checkValues('buffer', this, values);
    return this.machine.exclusively(() => task(numbersAt(this.machine, this, this.start)));
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
