import { type HostArray, isHalf } from '../../tensor/dtype.ts';
import { roundToHalf } from '../../tensor/half.ts';
import { formatType } from '../../program/index.ts';
import type { TensorType } from '../../tensor/tensor.ts';
import type { Buffer } from '../backend.ts';
import { checkValues } from '../checks.ts';
import { type Exclusively, Lifetime, type Lifetimes } from '../../tensor/lifetime.ts';

/** What buffers and executables need of their backend. */
export interface Host {
  /** Zeroed, in the float type that the backend works in. */
  allocate(type: TensorType): HostArray;
  readonly exclusively: Exclusively;
  /** Of what the backend has made. */
  readonly lives: Lifetimes;
}

export class ReferenceBuffer implements Buffer {
  readonly shape: TensorType['shape'];
  readonly dtype: TensorType['dtype'];
  readonly host: Host;
  readonly life: Lifetime;
  #data: HostArray;

  constructor(type: TensorType, host: Host) {
    const { allocate, exclusively, lives } = host;
    this.shape = type.shape;
    this.dtype = type.dtype;
    this.host = host;
    this.#data = allocate(type);
    const release = (): void => {
      this.#data = new Float32Array();
    };
    this.life = lives.add(new Lifetime(`the buffer of ${formatType(type)}`, () => exclusively(release)));
  }

  /** Its own memory. */
  get data(): HostArray {
    return this.#data;
  }

  read(): Promise<HostArray> {
    return this.#use(() => this.#data.slice());
  }

  readInto(target: HostArray): Promise<void> {
    return this.#use(() => target.set(this.#data), target);
  }

  write(values: HostArray): Promise<void> {
    return this.#use(() => {
      this.#data.set(values);
      if (isHalf(this.dtype)) roundToHalf(this.dtype, this.#data);
    }, values);
  }

  dispose(): Promise<void> {
    return this.life.dispose();
  }

  async #use<T>(task: () => T, values?: HostArray): Promise<T> {
    this.life.check();
    if (values !== undefined) checkValues('buffer', this, values);
    return this.host.exclusively(task);
  }
}
