// The process that trains a case of bench/memory.ts and prints what it took: memory-child.js NAME
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MemoryEstimate, arraySource, train } from 'rectiflow';
import { type Memory, memoryCase } from './memory-cases.ts';

const [name] = process.argv.slice(2) as [string];
const { title, config } = memoryCase(name);
const runs = await mkdtemp(join(tmpdir(), 'rectiflow-memory-'));
const side = (config.model?.imageSize as number | undefined) ?? 0;
const images = new Float32Array(64 * 3 * side ** 2);
const labels = Array.from({ length: 64 }, (_, i) => i % 10);
let estimate: MemoryEstimate | undefined;
try {
  await train(config, {
    runs,
    onPlan: (plan) => {
      estimate = plan.estimate;
    },
    ...(config.data?.source === 'custom' && {
      source: arraySource({ name: 'black', images, shape: [3, side, side], labels }),
    }),
  });
} finally {
  await rm(runs, { recursive: true, force: true });
}
const found: Memory = { title, estimate: estimate!, peakBytes: 1024 * process.resourceUsage().maxRSS };
console.log(JSON.stringify(found));
