import type { HostArray } from '../../tensor/dtype.ts';
import type { TensorType } from '../../tensor/tensor.ts';
import { bytesOf } from '../../program/index.ts';
import { HeldBuffer } from '../held-buffer.ts';
import { allocate } from './allocate.ts';
import type { Machine } from './executable.ts';
import { copyTensor, readTensor, writeTensor } from './memory.ts';

/** Persistent memory of the CPU backend. */
export class CpuBuffer extends HeldBuffer<Machine> {
  readonly memory: ArrayBuffer;

  /** @throws RectiflowError where there is not so much memory */
  constructor(type: TensorType, machine: Machine) {
    const { native } = machine;
    const memory = allocate(native, bytesOf(type));
    super(type, machine, () => native.release(memory));
    this.memory = memory;
  }

  read(): Promise<HostArray> {
    return this.use(() => readTensor(this, { memory: this.memory, offset: 0 }));
  }

  readInto(target: HostArray): Promise<void> {
    return this.use(() => copyTensor(this, { memory: this.memory, offset: 0 }, target), target);
  }

  write(values: HostArray): Promise<void> {
    return this.use(() => writeTensor(this, { memory: this.memory, offset: 0 }, values), values);
  }
}
