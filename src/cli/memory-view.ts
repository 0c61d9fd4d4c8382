// What training takes, as people read it.
import { type MemoryEstimate, type MemoryParts } from '../train/memory-estimate.ts';
import { formatBytes } from './format.ts';

/** `state 130 MiB, activations 2 GiB, ...`: of what the machine's memory holds. */
export function listParts(estimate: MemoryEstimate): string {
  const { process, state, activations, scratch, snapshot, data, device } = estimate;
  return listed({ process, ...(!device?.isSeparate && { state, activations, scratch }), snapshot, data });
}

/** What a GPU has to have for it, in words that go on after those of the machine's memory; nothing where none computes. */
export function describeDevice({ state, activations, scratch, device }: MemoryEstimate): string[] {
  if (device === undefined) return [];
  const largest = `the largest value ${formatBytes(device.largest)} of ${formatBytes(device.most)} allowed`;
  if (!device.isSeparate) return [largest];
  const parts = listed({ state, activations, scratch });
  return [
    `${formatBytes(device.bytes)} of the GPU's memory (${parts}), of which WebGPU does not tell how much there is`,
    largest,
  ];
}

function listed(parts: Partial<MemoryParts>): string {
  return Object.entries(parts)
    .flatMap(([name, bytes]) => (bytes > 0 ? `${name} ${formatBytes(bytes)}` : []))
    .join(', ');
}
