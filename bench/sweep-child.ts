// The process that measures a point of bench/sweep.ts: sweep-child.js POINT. Prints the milliseconds of each timed step.
import type { CpuOptions, RunConfig } from 'rectiflow';
import { prepareStep } from './training-step.ts';

export interface Point {
  readonly config: RunConfig;
  readonly settings: CpuOptions;
  readonly rounds: number;
}

const { config, settings, rounds } = JSON.parse(process.argv[2]!) as Point;
const { run } = await prepareStep(config, settings);
await run();
const milliseconds: number[] = [];
for (let step = 0; step < rounds; step++) {
  const began = performance.now();
  await run();
  milliseconds.push(performance.now() - began);
}
console.log(JSON.stringify(milliseconds));
