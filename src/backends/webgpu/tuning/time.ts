// How long a node takes by each of some ways, on memory of its own.
import { bytesOf } from '../../../program/index.ts';
import type { Node, Tensor } from '../../../tensor/tensor.ts';
import { type Bound, bindDescribed } from '../bind.ts';
import { type Gpu, usage } from '../device.ts';
import type { Dispatch } from '../dispatch.ts';
import type { Range } from '../neighbours.ts';
import { clockFeature } from '../timing.ts';

export interface Candidate {
  readonly way: string;
  readonly dispatches: readonly Dispatch[];
}

/** Memory that a node's values may take while it is timed. */
const mostBytes = 2 ** 30;
/** Ways whose shaders are compiled at the same time: what is begun cannot be stopped. */
const compilers = 3;
const rounds = 3;
/** What is timed together should take so many milliseconds, by the device's clock and by that of the host, which is coarser. */
const longEnough = { device: 1, host: 8 } as const;
const mostRepeats = 64;
/** What takes so many milliseconds is timed once: noise counts little in it. */
const slow = 50;
/** What takes so many times as long as the fastest is timed no further. */
const hopeless = 3;

export interface Timing {
  readonly candidates: readonly Candidate[];
  readonly subgroups: boolean;
  /** By `performance.now()`: shaders that are not compiled by then are left out, and after the second nothing is begun. */
  readonly compiledBy: number;
  readonly deadline: number;
}

/** @returns milliseconds of each way that was timed */
export async function timeWays(
  gpu: Gpu,
  node: Node,
  { candidates, subgroups, compiledBy, deadline }: Timing,
): Promise<Map<string, number>> {
  const memory = await memoryFor(gpu, candidates);
  const times = new Map<string, number>();
  if (memory === undefined) return times;
  const clock = clockOf(gpu);
  const bound: { way: string; made: Bound }[] = [];
  try {
    const rangeOf = (tensor: Tensor): Range => memory.ranges.get(tensor)!;
    const waiting = [...candidates];
    const compile = async (): Promise<void> => {
      for (let next = waiting.shift(); next && performance.now() < compiledBy; next = waiting.shift()) {
        const described = next.dispatches.map((dispatch) => ({ node, dispatch }));
        const made = await inTime(bindDescribed(described, { gpu, rangeOf, subgroups }), compiledBy);
        if (made) bound.push({ way: next.way, made });
      }
    };
    await Promise.all(Array.from({ length: compilers }, compile));
    gpu.check();
    // Where time runs out, the usual way has been timed.
    const order = candidates.map(({ way }) => way);
    bound.sort((a, b) => order.indexOf(a.way) - order.indexOf(b.way));
    const repeats = new Map<string, number>();
    for (const { way, made } of bound) {
      if (performance.now() > deadline) break;
      // Some drivers compile a shader when it first runs.
      await clock.time(made, 1);
      const once = await clock.time(made, 1);
      times.set(way, once);
      repeats.set(
        way,
        Math.max(1, Math.min(mostRepeats, Math.ceil(clock.longEnough / Math.max(once, 1e-3)))),
      );
    }
    for (let round = 0; round < rounds; round++) {
      const fastest = Math.min(...times.values());
      for (const { way, made } of bound) {
        const before = times.get(way);
        if (before === undefined || before > Math.min(slow, hopeless * fastest)) continue;
        if (performance.now() > deadline) return times;
        const count = repeats.get(way)!;
        const taken = (await clock.time(made, count)) / count;
        times.set(way, round === 0 ? taken : Math.min(before, taken));
      }
    }
    return times;
  } finally {
    clock.release();
    for (const { made } of bound) made.release();
    memory.release();
  }
}

/** What is made too late is given back when it is there, and a way whose shaders a driver cannot make is left out. */
async function inTime(making: Promise<Bound>, latest: number): Promise<Bound | undefined> {
  const made = making.catch(() => undefined);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isLate = false;
  const late = new Promise<undefined>((resolve) => {
    const end = (): void => {
      isLate = true;
      resolve(undefined);
    };
    // A timer counts in 32 bits.
    if (latest - performance.now() < 2 ** 31)
      timer = setTimeout(end, Math.max(0, latest - performance.now()));
  });
  const first = await Promise.race([made, late]);
  clearTimeout(timer);
  if (isLate) void made.then((bound) => bound?.release());
  return isLate ? undefined : first;
}

/** Memory for all values that dispatches read and write, filled with numbers; undefined where that is too much. */
async function memoryFor(
  { device }: Gpu,
  candidates: readonly Candidate[],
): Promise<{ readonly ranges: ReadonlyMap<Tensor, Range>; release(): void } | undefined> {
  const values = new Set(
    candidates
      .flatMap(({ dispatches }) => dispatches.flatMap((dispatch) => dispatch.arguments))
      .flatMap(({ operand }) => ('scratch' in operand ? [] : [operand])),
  );
  const sizes = Array.from(values, (tensor): [Tensor, number] => [
    tensor,
    Math.max(4, Math.ceil(bytesOf(tensor) / 4) * 4),
  ]);
  const most = device.limits.maxStorageBufferBindingSize;
  if (sizes.reduce((sum, [, size]) => sum + size, 0) > mostBytes || sizes.some(([, size]) => size > most))
    return undefined;
  device.pushErrorScope('out-of-memory');
  const ranges = new Map(
    sizes.map(([tensor, size]): [Tensor, Range] => {
      const buffer = device.createBuffer({ size, usage: usage.storage | usage.copyTarget });
      return [tensor, { buffer, offset: 0, size, isWhole: true }];
    }),
  );
  const problem = await device.popErrorScope();
  const release = (): void => ranges.forEach(({ buffer }) => (buffer as GPUBuffer).destroy());
  if (problem) {
    release();
    return undefined;
  }
  fill(device, [...ranges.values()]);
  return { ranges, release };
}

/**
 * Both halves of a word are a number from 0.5 to 1 in bfloat16: so it is one in float32, too, about one in float16, and as a whole number
 * more than any length.
 */
function fill(device: GPUDevice, ranges: readonly Range[]): void {
  const size = Math.min(2 ** 20, Math.max(...ranges.map((range) => range.size)));
  const words = Uint32Array.from({ length: size / 4 }, (_, i) => 0x3f003f00 + ((i * 37) % 128) * 0x10001);
  const pattern = device.createBuffer({ size, usage: usage.copySource | usage.copyTarget });
  device.queue.writeBuffer(pattern, 0, words);
  const encoder = device.createCommandEncoder();
  for (const { buffer, size: bytes } of ranges)
    for (let at = 0; at < bytes; at += size)
      encoder.copyBufferToBuffer(pattern, 0, buffer, at, Math.min(size, bytes - at));
  device.queue.submit([encoder.finish()]);
  pattern.destroy();
}

interface Clock {
  readonly longEnough: number;
  /** Milliseconds of so many runs, one after the other. */
  time(bound: Bound, repeats: number): Promise<number>;
  release(): void;
}

/** The device's own where it can be read. */
function clockOf(gpu: Gpu): Clock {
  const { device } = gpu;
  const isOwn = device.features.has(clockFeature);
  const readings = isOwn ? device.createQuerySet({ type: 'timestamp', count: 2 }) : undefined;
  const buffer = readings && device.createBuffer({ size: 16, usage: usage.queries | usage.copySource });
  return {
    longEnough: isOwn ? longEnough.device : longEnough.host,
    async time({ dispatches }, repeats) {
      const encoder = device.createCommandEncoder();
      const timed = readings && { querySet: readings, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
      const pass = encoder.beginComputePass(timed && { timestampWrites: timed });
      for (let i = 0; i < repeats; i++)
        for (const { pipeline, group, groups } of dispatches) {
          pass.setPipeline(pipeline);
          pass.setBindGroup(0, group);
          pass.dispatchWorkgroups(...groups);
        }
      pass.end();
      if (readings && buffer) encoder.resolveQuerySet(readings, 0, 2, buffer, 0);
      const began = performance.now();
      device.queue.submit([encoder.finish()]);
      if (buffer === undefined) {
        await gpu.done();
        return performance.now() - began;
      }
      const [bytes] = await gpu.copyOut([{ buffer, offset: 0, bytes: 16 }]);
      const [first, last] = new BigInt64Array(bytes!);
      return Math.max(0, Number(last! - first!) / 1e6);
    },
    release() {
      readings?.destroy();
      buffer?.destroy();
    },
  };
}
