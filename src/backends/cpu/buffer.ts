import type { HostArray } from '../../tensor/dtype.ts';
import type { TensorType } from '../../tensor/tensor.ts';
import type { Buffer } from '../backend.ts';
import { bytesOf, formatType } from '../../program/index.ts';
import { checkValues } from '../checks.ts';
import { Lifetime } from '../../tensor/lifetime.ts';
import { allocate } from './allocate.ts';
import type { Machine } from './executable.ts';
import { copyTensor, readTensor, writeTensor } from './memory.ts';

/** Persistent memory of the CPU backend. */
export class CpuBuffer implements Buffer {
  readonly shape: TensorType['shape'];
  readonly dtype: TensorType['dtype'];
  readonly memory: ArrayBuffer;
  readonly machine: Machine;
  readonly life: Lifetime;

  /** @throws RectiflowError where there is not so much memory */
  constructor(type: TensorType, machine: Machine) {
    const { native, exclusively, lives } = machine;
    const memory = allocate(native, bytesOf(type));
    this.shape = type.shape;
    this.dtype = type.dtype;
    this.memory = memory;
    this.machine = machine;
    const what = `the buffer of ${formatType(type)}`;
    this.life = lives.add(new Lifetime(what, () => exclusively(() => native.release(memory))));
  }

  read(): Promise<HostArray> {
    return this.#use(() => readTensor(this, { memory: this.memory, offset: 0 }));
  }

  readInto(target: HostArray): Promise<void> {
    return this.#use(() => copyTensor(this, { memory: this.memory, offset: 0 }, target), target);
  }

  write(values: HostArray): Promise<void> {
    return this.#use(() => writeTensor(this, { memory: this.memory, offset: 0 }, values), values);
  }

  dispose(): Promise<void> {
    return this.life.dispose();
  }

  async #use<T>(task: () => T, values?: HostArray): Promise<T> {
    this.life.check();
    if (values !== undefined) checkValues('buffer', this, values);
    return this.machine.exclusively(task);
  }
}
