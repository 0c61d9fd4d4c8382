import { type HostArray, isHalf } from '../../tensor/dtype.ts';
import { roundToHalf } from '../../tensor/half.ts';
import type { TensorType } from '../../tensor/tensor.ts';
import { type BufferMachine, HeldBuffer } from '../held-buffer.ts';

/** What buffers and executables need of their backend. */
export interface Host extends BufferMachine {
  /** Zeroed, in the float type that the backend works in. */
  allocate(type: TensorType): HostArray;
}

export class ReferenceBuffer extends HeldBuffer<Host> {
  #data: HostArray;

  constructor(type: TensorType, host: Host) {
    const data = host.allocate(type);
    super(type, host, () => {
      this.#data = new Float32Array();
    });
    this.#data = data;
  }

  /** Its own memory. */
  get data(): HostArray {
    return this.#data;
  }

  read(): Promise<HostArray> {
    return this.use(() => this.#data.slice());
  }

  readInto(target: HostArray): Promise<void> {
    return this.use(() => target.set(this.#data), target);
  }

  write(values: HostArray): Promise<void> {
    return this.use(() => {
      this.#data.set(values);
      if (isHalf(this.dtype)) roundToHalf(this.dtype, this.#data);
    }, values);
  }
}
