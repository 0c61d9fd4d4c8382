import { readFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import type { HostMemory } from '../train/host-memory.ts';

/** Bytes that this process may have in all: what it has, and what the system and its limits leave. */
export function availableMemory(): number {
  const used = process.memoryUsage.rss();
  return Math.min(freemem() + used, limit());
}

/** Bytes that the machine, or the part of it that this process may use, has when nothing else runs: its memory and its swap space. */
export function installedMemory(): number {
  return Math.min(totalmem(), limit()) + swap();
}

/** Of the control group. */
function limit(): number {
  const bytes = process.constrainedMemory();
  return bytes > 0 ? bytes : Infinity;
}

/** 0 where the system does not say. */
function swap(): number {
  try {
    const [, kibibytes] = /^SwapTotal: +(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8')) ?? [];
    return Number(kibibytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** As one of several processes of a job has it, each of which may take as much of what is left as the others. */
export function sharedMemory(processes: number): HostMemory {
  const { used, available } = machineMemory;
  return { ...machineMemory, available: () => used() + (available() - used()) / processes };
}

/** As training asks for it. */
export const machineMemory: HostMemory = {
  used: () => process.memoryUsage.rss(),
  mostUsed: () => 1024 * process.resourceUsage().maxRSS,
  available: availableMemory,
  installed: installedMemory,
};
