// What the buffers of all backends are: memory of a type, used in turn with programs, until it is given back.
import { formatType } from '../program/index.ts';
import type { HostArray } from '../tensor/dtype.ts';
import { type Exclusively, Lifetime, type Lifetimes } from '../tensor/lifetime.ts';
import type { TensorType } from '../tensor/tensor.ts';
import type { Buffer } from './backend.ts';
import { checkValues } from './checks.ts';

/** What a buffer needs of its backend. */
export interface BufferMachine {
  readonly exclusively: Exclusively;
  /** Of what the backend has made. */
  readonly lives: Lifetimes;
}

export abstract class HeldBuffer<Machine extends BufferMachine> implements Buffer {
  readonly shape: TensorType['shape'];
  readonly dtype: TensorType['dtype'];
  readonly machine: Machine;
  readonly life: Lifetime;

  /** @param release gives its memory back */
  constructor({ shape, dtype }: TensorType, machine: Machine, release: () => void) {
    this.shape = shape;
    this.dtype = dtype;
    this.machine = machine;
    const what = `the buffer of ${formatType({ shape, dtype })}`;
    this.life = machine.lives.add(new Lifetime(what, () => machine.exclusively(release)));
  }

  abstract read(): Promise<HostArray>;
  abstract readInto(target: HostArray): Promise<void>;
  abstract write(values: HostArray): Promise<void>;

  dispose(): Promise<void> {
    return this.life.dispose();
  }

  /**
   * Does something with the memory when its turn has come.
   * @param values that are copied from or to it
   * @throws RectiflowError where it was disposed of, or the values are of another type or size
   */
  protected async use<T>(task: () => T, values?: HostArray): Promise<T> {
    this.life.check();
    if (values !== undefined) checkValues('buffer', this, values);
    return this.machine.exclusively(task);
  }
}
