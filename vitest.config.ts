import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// Much of a test's time is spent waiting, for other processes above all: two workers on two cores, where Vitest would have one.
const maxWorkers = Math.max(2, availableParallelism() - 1);

/** Milliseconds that `expect.poll` waits for what comes later: the machine may be slow, and shared with others. */
const poll = { timeout: 20_000 };

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers,
    expect: { poll },
  },
});
