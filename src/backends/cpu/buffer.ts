import type { HostArray } from '../../tensor/dtype.ts';
import type { TensorType } from '../../tensor/tensor.ts';
import type { Buffer } from '../backend.ts';
import { checkValues } from '../checks.ts';
import { copyTensor, readTensor, writeTensor } from './memory.ts';

/** Persistent memory of the CPU backend. */
export class CpuBuffer implements Buffer {
  readonly shape: TensorType['shape'];
  readonly dtype: TensorType['dtype'];
  readonly memory: ArrayBuffer;
  private readonly exclusively: <T>(task: () => T) => Promise<T>;

  constructor(type: TensorType, memory: ArrayBuffer, exclusively: <T>(task: () => T) => Promise<T>) {
    this.shape = type.shape;
    this.dtype = type.dtype;
    this.memory = memory;
    this.exclusively = exclusively;
  }

  read(): Promise<HostArray> {
    return this.exclusively(() => readTensor(this, { memory: this.memory, offset: 0 }));
  }

  async readInto(target: HostArray): Promise<void> {
    checkValues('buffer', this, target);
    await this.exclusively(() => copyTensor(this, { memory: this.memory, offset: 0 }, target));
  }

  async write(values: HostArray): Promise<void> {
    checkValues('buffer', this, values);
    await this.exclusively(() => writeTensor(this, { memory: this.memory, offset: 0 }, values));
  }
}
