// A device, and what goes wrong on it: WebGPU tells of that beside the calls that caused it, and then reads zeros.
import { RectiflowError, internalError } from '../../tensor/errors.ts';
import { DeviceLostError, DeviceMemoryError } from '../device-errors.ts';
import type { DeviceFacts } from './contract.ts';

/** `GPUBufferUsage` and `GPUMapMode`, as numbers: Node.js has no such globals. */
export const usage = {
  mapRead: 1,
  copySource: 4,
  copyTarget: 8,
  uniform: 64,
  storage: 128,
  queries: 512,
} as const;
const mapRead = 1;

/** How long one waits to be told that a device was lost, in milliseconds. */
const lossToldMs = 1000;

/** Offsets of bindings are multiples of so many bytes on every device. */
export const bindingAlignment = 256;

/** Bytes of a buffer. */
export interface Part {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}

export class Gpu {
  readonly device: GPUDevice;
  readonly facts: DeviceFacts;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly #copying = new Set<Promise<unknown>>();
  #failure: RectiflowError | undefined;
  #isClosed = false;

  constructor(device: GPUDevice, facts: DeviceFacts) {
    this.device = device;
    this.facts = facts;
    void device.lost.then(({ reason, message }) => {
      if (this.#isClosed) return;
      const why = message === '' ? reason : message;
      this.#failure ??= new DeviceLostError(`webgpu: the GPU was lost (${why})`);
    });
    device.onuncapturederror = ({ error }) => {
      this.#failure ??= errorOf(error, facts);
    };
  }

  /** Of one value. */
  get mostBytes(): number {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.device.limits;
    return Math.min(maxBufferSize, maxStorageBufferBindingSize);
  }

  /** Zeroed memory. @param bytes rounded up to whole words @throws RectiflowError where no buffer can be so large */
  buffer(bytes: number, ofUsage: number = usage.storage): GPUBuffer {
    const size = Math.max(4, Math.ceil(bytes / 4) * 4);
    const most = this.mostBytes;
    if (size > most) {
      throw new RectiflowError(
        'backend',
        `webgpu: a value of ${size} bytes was wanted, and this device holds at most ${most} in one. Set train.microBatch ` +
          'lower, or choose a smaller model',
      );
    }
    return this.device.createBuffer({ size, usage: ofUsage | usage.copySource | usage.copyTarget });
  }

  /** Compiled once for a text. @param layout how it is bound */
  pipeline(code: string, layout: GPUBindGroupLayout): Promise<GPUComputePipeline> {
    const known = this.#pipelines.get(code);
    if (known) return known;
    const made = this.#compile(code, layout);
    this.#pipelines.set(code, made);
    return made;
  }

  async #compile(code: string, layout: GPUBindGroupLayout): Promise<GPUComputePipeline> {
    const { device } = this;
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ code });
    const told = device.popErrorScope();
    const pipeline = device.createComputePipelineAsync({
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: 'main' },
    });
    try {
      return await pipeline;
    } catch (error) {
      this.check();
      const { messages } = await module.getCompilationInfo();
      const first = messages.find(({ type }) => type === 'error');
      const where = first ? `: ${first.message} in line "${code.split('\n')[first.lineNum - 1]}"` : '';
      throw internalError(`webgpu: a shader does not compile${where} (${(error as Error).message})`);
    } finally {
      await told;
    }
  }

  /** @param kinds of the bindings, in order */
  layout(kinds: readonly GPUBufferBindingType[]): GPUBindGroupLayout {
    const key = kinds.join();
    const known = this.#layouts.get(key);
    if (known) return known;
    const entries = kinds.map((type, binding) => ({ binding, visibility: 4, buffer: { type } }));
    const made = this.device.createBindGroupLayout({ entries });
    this.#layouts.set(key, made);
    return made;
  }

  /**
   * Submits copies of parts of buffers, as they are when all that was submitted before is done.
   * @returns their bytes, for each part: to be waited for when others may submit
   */
  copyOut(parts: readonly Part[]): Promise<ArrayBuffer[]> {
    const sizes = parts.map(({ bytes }) => Math.ceil(bytes / 4) * 4);
    const size = sizes.reduce((sum, each) => sum + each, 0);
    const staging = this.device.createBuffer({
      size: Math.max(4, size),
      usage: usage.mapRead | usage.copyTarget,
    });
    const encoder = this.device.createCommandEncoder();
    let end = 0;
    const starts = parts.map(({ buffer, offset }, i) => {
      const start = end;
      if (sizes[i]! > 0) encoder.copyBufferToBuffer(buffer, offset, staging, start, sizes[i]!);
      end += sizes[i]!;
      return start;
    });
    this.device.queue.submit([encoder.finish()]);
    const copied = this.#map(staging).then((all) =>
      starts.map((start, i) => all.slice(start, start + sizes[i]!)),
    );
    this.#copying.add(copied);
    const forget = (): unknown => this.#copying.delete(copied);
    copied.then(forget, forget);
    return copied;
  }

  async #map(staging: GPUBuffer): Promise<ArrayBuffer> {
    try {
      await staging.mapAsync(mapRead);
    } catch (error) {
      await this.#lossTold();
      this.check();
      const message = `webgpu: memory of the GPU cannot be read: ${(error as Error).message}`;
      throw new RectiflowError('backend', message, { cause: error });
    }
    this.check();
    const copy = staging.getMappedRange().slice(0);
    staging.destroy();
    return copy;
  }

  /** That a device is lost may be told after what fails because of it. */
  async #lossTold(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, lossToldMs)));
    await Promise.race([this.device.lost, late]);
    clearTimeout(timer);
  }

  /** Resolves when all that was submitted is done. */
  async done(): Promise<void> {
    await this.device.queue.onSubmittedWorkDone();
    this.check();
  }

  /** @throws RectiflowError where something has gone wrong on the device: nothing that it holds is to be trusted then */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Resolves when the device has said what was wrong with what it was asked for. @throws RectiflowError where something was */
  async told(): Promise<void> {
    this.device.pushErrorScope('validation');
    // One that is lost may have no answer.
    await this.device.popErrorScope().catch(() => {});
    this.check();
  }

  /** When all copies have arrived. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#copying);
    this.#isClosed = true;
    this.device.destroy();
  }
}

function errorOf({ message, constructor }: GPUError, { name }: DeviceFacts): RectiflowError {
  const [first] = message.split('\n');
  if (constructor.name === 'GPUOutOfMemoryError')
    return new DeviceMemoryError(`webgpu: ${name} has not so much memory (${first})`);
  return new RectiflowError('backend', `webgpu: ${name} refused a command: ${first}`);
}
