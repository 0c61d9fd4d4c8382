// What the machine could do at best: the denominators of every share.
import { type CpuBackend, type CpuOptions, cpuBackend, ops, trace } from 'rectiflow';

const known = new Map<string, CpuBackend>();

/**
 * FLOP/s of the backend's best instructions for these options: what the machine sustains for a second just now, about as long as
 * what is measured against it runs.
 */
export async function sustainedPeak(options: CpuOptions): Promise<number> {
  return backendOf(options).measurePeak(1);
}

/** The same for a hundredth of a second, the best of some. */
export async function bestBurst(options: CpuOptions): Promise<number> {
  return backendOf(options).measurePeak();
}

function backendOf(options: CpuOptions): CpuBackend {
  const key = JSON.stringify(options);
  const backend = known.get(key) ?? cpuBackend(options);
  known.set(key, backend);
  return backend;
}

/** Far more than any cache holds. */
const bandwidthElements = 1 << 25;

/** Bytes per second that a sum of two large arrays reads and writes, the best of several. */
export async function memoryBandwidth(threads: number): Promise<number> {
  const shape = [bandwidthElements];
  const program = trace('bandwidth', (graph) => ({
    sum: ops.add(graph.stateful('a', shape), graph.stateful('b', shape)),
  }));
  const backend = cpuBackend({ threads });
  const executable = await backend.compile(
    program,
    new Map(program.state.map((tensor) => [tensor.name!, backend.allocate(tensor)])),
  );
  let best = Infinity;
  for (let run = 0; run < 8; run++) {
    const began = performance.now();
    await executable.run({});
    best = Math.min(best, performance.now() - began);
  }
  return (3 * 4 * bandwidthElements) / (best / 1000);
}
