// How long each node takes on a device, by the clock of the device.
import type { Node } from '../../tensor/tensor.ts';
import type { NodeTime } from '../profile.ts';
import type { BoundDispatch } from './bind.ts';
import { type Gpu, usage } from './device.ts';

/** What WebGPU calls the ability to read the device's clock. */
export const clockFeature = 'timestamp-query';
/** The most readings of the clock that one set holds, on every device. */
const mostReadings = 4096;

/**
 * Runs dispatches, each in a pass of its own, which takes longer than a run of all.
 * @returns of each node, in the order of their first dispatches
 */
export async function timeNodes(gpu: Gpu, dispatches: readonly BoundDispatch[]): Promise<NodeTime[]> {
  const times = new Map<Node, number>();
  for (let first = 0; first < dispatches.length; first += mostReadings / 2) {
    const some = dispatches.slice(first, first + mostReadings / 2);
    const nanoseconds = await timeSome(gpu, some);
    some.forEach(({ node }, i) => times.set(node, (times.get(node) ?? 0) + nanoseconds[i]! / 1e6));
  }
  return Array.from(times, ([node, milliseconds]) => ({ node, milliseconds }));
}

async function timeSome(gpu: Gpu, dispatches: readonly BoundDispatch[]): Promise<number[]> {
  const { device } = gpu;
  const count = 2 * dispatches.length;
  const querySet = device.createQuerySet({ type: 'timestamp', count });
  const buffer = device.createBuffer({ size: 8 * count, usage: usage.queries | usage.copySource });
  const encoder = device.createCommandEncoder();
  dispatches.forEach(({ pipeline, group, groups }, i) => {
    const timestampWrites = {
      querySet,
      beginningOfPassWriteIndex: 2 * i,
      endOfPassWriteIndex: 2 * i + 1,
    };
    const pass = encoder.beginComputePass({ timestampWrites });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...groups);
    pass.end();
  });
  encoder.resolveQuerySet(querySet, 0, count, buffer, 0);
  device.queue.submit([encoder.finish()]);
  const [bytes] = await gpu.copyOut([{ buffer, offset: 0, bytes: 8 * count }]);
  querySet.destroy();
  buffer.destroy();
  const readings = new BigInt64Array(bytes!);
  // A clock may be coarse, and a reading before the one that it follows: of what takes no time, that is.
  return dispatches.map((_, i) => Math.max(0, Number(readings[2 * i + 1]! - readings[2 * i]!)));
}
