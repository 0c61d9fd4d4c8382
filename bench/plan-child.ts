// The process that plans a case of bench/plan.ts, or trains it, and prints what that takes: plan-child.js NAME plan|train
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type StepMetrics, plan, train } from 'rectiflow';
import { type Taken, planCase } from './plan-cases.ts';

const [name, what] = process.argv.slice(2) as [string, 'plan' | 'train'];
const { config, seconds } = planCase(name);
const folder = await mkdtemp(join(tmpdir(), 'rectiflow-plan-'));
const runs = join(folder, 'runs');
try {
  console.log(JSON.stringify(await (what === 'plan' ? planned() : trained())));
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function planned(): Promise<Taken> {
  const { time, memory, disk } = await plan(config, { runs, ...(seconds !== undefined && { seconds }) });
  const { step, total, by } = time;
  return { step, total, memory: memory.estimate.total, disk: disk.total, by };
}

async function trained(): Promise<Taken> {
  const metrics: StepMetrics[] = [];
  const began = performance.now();
  const { run } = await train(config, { runs, onStep: (each) => metrics.push(each) });
  const total = (performance.now() - began) / 1000;
  const [first, last] = [metrics[0]!, metrics.at(-1)!];
  // The first step touches memory for the first time.
  const step = (last.seconds - first.seconds) / (last.step - first.step);
  return { step, total, memory: 1024 * process.resourceUsage().maxRSS, disk: await bytesOf(run) };
}

async function bytesOf(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
