// What users of the backend see. Their programs are checked with it, so that it names none of WebGPU's own types.
import type { Program } from '../../program/index.ts';
import type { HostArray } from '../../tensor/dtype.ts';
import type { Backend, Buffers, Executable, Precision, TuningStore } from '../backend.ts';
import type { Profile } from '../profile.ts';
import type { MatrixShape } from './matrices.ts';
import type { FixedTuning } from './tuning/work.ts';

export type { FixedTuning } from './tuning/work.ts';

/** What WebGPU begins with: `navigator.gpu` of a page, or what the package `webgpu` makes. */
export interface GpuSource {
  requestAdapter(options?: object): Promise<object | null>;
}

/** What an adapter says of itself. */
export interface DeviceFacts {
  /** In its own words. */
  readonly name: string;
  /** All that it says of itself, and of its driver: what was measured on one device counts for no other. */
  readonly identity: string;
  /** Whether it is a program, which computes on the CPU. */
  readonly isSoftware: boolean;
  readonly limits: DeviceLimits;
  /** As WebGPU calls them: `shader-f16`, `subgroups`, ... */
  readonly features: readonly string[];
  /** Invocations that compute in step, at least and at most; undefined where the device does not tell. */
  readonly subgroupSizes?: { readonly smallest: number; readonly largest: number };
  /** Subgroup matrices that can be multiplied, where they were asked for. */
  readonly matrices?: readonly MatrixShape[];
}

export interface DeviceLimits {
  /** Bytes of one buffer, and of as much of it as a shader sees at once. */
  readonly buffer: number;
  readonly binding: number;
  /** Buffers that a shader sees at once. */
  readonly storageBuffers: number;
}

export interface WebGpuOptions {
  /** Default `fp32`. `auto`: `bf16` on a GPU, `fp32` where a program plays one. */
  readonly precision?: Precision | 'auto';
  /**
   * How kernels share out work. `auto`, the default: on a GPU some ways are timed when a program is compiled, for three seconds in all, and
   * the fastest is taken; where a program plays a GPU, it is shared out as suits those. `on`: timed there, too. `off`: nothing is timed.
   */
  readonly tuning?: 'auto' | 'on' | 'off' | FixedTuning;
  /** Where what was timed is kept for other starts; nowhere by default, but in Node.js in a file of the user's cache. */
  readonly tuningStore?: TuningStore;
  /** Milliseconds that may be spent on timing in all; 3000 by default. */
  readonly tuningBudget?: number;
  /** Told what users should know, in whole sentences: of timing, and of what was kept and cannot be used. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /**
   * Whether products are made by subgroup matrices, which is an experiment of Chromium's and of Dawn's; false by default. The host must let
   * adapters have the feature `chromium-experimental-subgroup-matrix`, as `nodeWebGpuBackend` sees to by itself.
   */
  readonly subgroupMatrices?: boolean;
  /** Called when the backend has been disposed of. */
  readonly onDispose?: () => void | Promise<void>;
}

export interface WebGpuExecutable extends Executable {
  /** Calls of shaders for each run, and how many shaders there are. */
  readonly dispatches: number;
  readonly shaders: number;
  /**
   * Runs once, and tells how long each node took by the device's clock: what is done for several at once counts for the first of them.
   * @throws RectiflowError where the device lets nobody read its clock
   */
  profile(inputs: Readonly<Record<string, HostArray>>): Promise<Profile>;
}

export interface WebGpuBackend extends Backend {
  readonly facts: DeviceFacts;
  compile(program: Program, buffers: Buffers): Promise<WebGpuExecutable>;
}
