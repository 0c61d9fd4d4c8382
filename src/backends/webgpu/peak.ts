// What a device can compute at most: multiply-adds on registers, with nothing that waits for memory.
import { type Gpu, usage } from './device.ts';
import { groupSize } from './items.ts';

const accumulators = 8;
const turns = 64;
/** Of one invocation: vectors of 4, and two operations for each multiply-add. */
const flopEach = turns * accumulators * 4 * 2;
/** Long enough that what it costs to submit does not count, in milliseconds. */
const longEnough = 20;
const measurements = 3;

const names = Array.from({ length: accumulators }, (_, i) => `c${i}`);
// What is multiplied comes from memory, and what comes out goes there: nothing can be left out.
const code = `@group(0) @binding(0) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(${groupSize})
fn main(@builtin(local_invocation_index) lane: u32) {
  let a = y[lane];
  let b = a * 0.5f;
  ${names.map((name, i) => `var ${name} = a + ${i}.0f;`).join(' ')}
  for (var turn = 0u; turn < ${turns}u; turn++) { ${names.map((name) => `${name} = fma(${name}, a, b);`).join(' ')} }
  let sum = ${names.join(' + ')};
  if (sum.x == 12345.0f) { y[lane] = sum; }
}`;

/** @returns floating-point operations per second, in float32 */
export async function measurePeak(gpu: Gpu): Promise<number> {
  const layout = gpu.layout(['storage']);
  const pipeline = await gpu.pipeline(code, layout);
  const buffer = gpu.buffer(16 * groupSize, usage.storage);
  const group = gpu.device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer } }] });
  const run = async (groups: number): Promise<number> => {
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(groups);
    pass.end();
    const began = performance.now();
    gpu.device.queue.submit([encoder.finish()]);
    await gpu.done();
    return performance.now() - began;
  };
  try {
    await gpu.done();
    let groups = 64;
    while ((await run(groups)) < longEnough && groups < 32_768) groups *= 2;
    let best = Infinity;
    for (let i = 0; i < measurements; i++) best = Math.min(best, await run(groups));
    return (groups * groupSize * flopEach) / (best / 1000);
  } finally {
    buffer.destroy();
  }
}
