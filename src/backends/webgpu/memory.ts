// Memory that lives from run to run: parts of large buffers, in the order in which they are asked for, so that what is updated alike lies
// alike and can be updated in one dispatch.
import { bytesOf } from '../../program/index.ts';
import type { DType, HostArray } from '../../tensor/dtype.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { TensorType } from '../../tensor/tensor.ts';
import { checkValues } from '../checks.ts';
import { type BufferMachine, HeldBuffer } from '../held-buffer.ts';
import type { Gpu } from './device.ts';
import { alignedBytes } from './neighbours.ts';
import { fromStored, toStored } from './stored.ts';

/** Where values lie. */
export interface Place {
  readonly buffer: GPUBuffer;
  /** In bytes. */
  readonly offset: number;
}

const smallestSlab = 2 ** 23;
const largestSlab = 2 ** 26;

interface Slab {
  readonly buffer: GPUBuffer;
  used: number;
  parts: number;
}

/** Gives out parts of buffers, each larger than the one before. A buffer is destroyed when the last of its parts is given back. */
export class Slabs {
  readonly #make: (bytes: number) => GPUBuffer;
  readonly #kinds = new Map<DType, Slab>();
  #next = smallestSlab;

  constructor(make: (bytes: number) => GPUBuffer) {
    this.#make = make;
  }

  /** Zeroed memory. @returns its place, and what gives it back */
  take(type: TensorType): Place & { readonly release: () => void } {
    const bytes = alignedBytes(bytesOf(type));
    let slab = this.#kinds.get(type.dtype);
    if (slab === undefined || slab.used + bytes > slab.buffer.size) slab = this.#start(type.dtype, bytes);
    const { buffer, used: offset } = slab;
    slab.used += bytes;
    slab.parts++;
    const release = (): void => {
      slab.parts--;
      // Memory that was used is not zeroed: what is left of the slab serves those that come.
      if (slab.parts > 0) return;
      buffer.destroy();
      if (this.#kinds.get(type.dtype) === slab) this.#kinds.delete(type.dtype);
    };
    return { buffer, offset, release };
  }

  #start(dtype: DType, bytes: number): Slab {
    const slab = { buffer: this.#make(Math.max(bytes, this.#next)), used: 0, parts: 0 };
    this.#next = Math.min(2 * this.#next, largestSlab);
    this.#kinds.set(dtype, slab);
    return slab;
  }
}

/** What buffers and programs of one backend share. */
export interface Machine extends BufferMachine {
  readonly gpu: Gpu;
  readonly slabs: Slabs;
}

/** Persistent memory of the WebGPU backend. */
export class WebGpuBuffer extends HeldBuffer<Machine> {
  readonly place: Place;

  constructor(type: TensorType, machine: Machine) {
    const { release, ...place } = machine.slabs.take(type);
    super(type, machine, release);
    this.place = place;
  }

  async read(): Promise<HostArray> {
    const part = { ...this.place, bytes: bytesOf(this) };
    // What is asked for in turn is the copy: others go on while it arrives.
    const { copied } = await this.use(() => ({ copied: this.machine.gpu.copyOut([part]) }));
    return fromStored(this, (await copied)[0]!);
  }

  async readInto(target: HostArray): Promise<void> {
    checkValues('buffer', this, target);
    target.set(await this.read());
  }

  write(values: HostArray): Promise<void> {
    return this.use(() => writeTo(this.machine.gpu, this.place, this, values), values);
  }

  protected override async use<T>(task: () => T, values?: HostArray): Promise<T> {
    this.life.check();
    this.machine.gpu.check();
    return super.use(task, values);
  }
}

/** Values of the host, before anything that is submitted later. */
export function writeTo(gpu: Gpu, { buffer, offset }: Place, type: TensorType, values: HostArray): void {
  if (sizeOf(type.shape) > 0) gpu.device.queue.writeBuffer(buffer, offset, toStored(type, values));
}
