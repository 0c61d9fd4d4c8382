import { expect, it } from 'vitest';
import { defaultThreads } from '../../src/backends/cpu/threads.ts';
import { machineMemory, sharedMemory } from '../../src/host/machine-memory.ts';

it('processes of a job share the memory that is left', () => {
  const free = machineMemory.available() - machineMemory.used();
  const { available, used } = sharedMemory(4);
  const share = (available() - used()) / free;
  // Others use memory, too.
  expect(share).toBeGreaterThan(0.2);
  expect(share).toBeLessThan(0.3);
});

it('and the cores, of which each has one at least', () => {
  expect(defaultThreads(1000)).toBe(1);
  expect(defaultThreads(2)).toBeLessThanOrEqual(defaultThreads());
});
