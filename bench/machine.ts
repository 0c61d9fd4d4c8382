// What the machine could do at best: the denominators of every share.
import { cpuBackend, type CpuOptions, ops, trace } from 'rectiflow';

const known = new Map<string, number>();

/** FLOP/s of the backend's best instructions for these options, measured once. */
export async function peakOf(options: CpuOptions): Promise<number> {
  const key = JSON.stringify(options);
  const peak = known.get(key) ?? (await cpuBackend(options).measurePeak());
  known.set(key, peak);
  return peak;
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
  const executable = backend.compile(
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
