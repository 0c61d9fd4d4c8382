import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';

/**
 * How many threads to compute with: one per physical core that this process may use. A second hardware thread on a core adds
 * nothing to kernels that keep its vector units busy, and threads beyond a container's share of time only wait for each other.
 * @param processes of a job that share the machine
 */
export function defaultThreads(processes = 1): number {
  // Where the processes of a job were each bound to processors of their own, those that this one may use are its share already.
  const shared = Math.floor(
    Math.min(physicalCores(), Math.ceil(containerShare()), cpus().length) / processes,
  );
  return Math.max(1, Math.min(availableParallelism(), shared));
}

function physicalCores(): number {
  const siblings = new Set<string>();
  for (let cpu = 0; ; cpu++) {
    const list = readText(`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`);
    if (list === undefined) break;
    siblings.add(list);
  }
  return siblings.size || Infinity;
}

/** The number of processors' worth of time that control groups (version 2) grant. */
function containerShare(): number {
  const [quota, period] = readText('/sys/fs/cgroup/cpu.max')?.split(' ').map(Number) ?? [];
  return quota && period ? quota / period : Infinity;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
