// How much slower steps are while a checkpoint is hashed and written beside them: npm run bench:save
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunFolder, Saver, Snapshot, cpuBackend } from 'rectiflow';
import { type CaseName, caseByName, caseNames } from './cases.ts';
import { type Options, readOptions } from './options.ts';
import { median } from './statistics.ts';
import { digits, markdownTable, percent } from './table.ts';
import { prepareStep } from './training-step.ts';

const usage = `npm run bench:save -- [CASE ...] [--rounds N] [--threads N] [--quick]

  CASE        ${caseNames.join(', ')}; s-256 by default
  --rounds    checkpoints, between which as many steps are timed without one (5)
  --threads   one per core by default
  --quick     two rounds

The checkpoints are written to the folder for temporary files: set TMPDIR to measure another disk.`;

const defaults = { usage, names: caseNames, defaultNames: ['s-256'], rounds: 5, quickRounds: 2 };
const options = readOptions(defaults);
console.log(`${cpuBackend({ threads: options.threads, precision: 'bf16' }).describe()}\n`);
const rows: string[][] = [];
for (const name of options.names as CaseName[]) rows.push(await measureCase(name, options));
const header = [
  '',
  'ms per step alone',
  'beside a save',
  'slower by (each round)',
  'the copy, ms',
  'the copy / a step',
  's to write',
  'MiB',
];
console.log(markdownTable(header, rows).join('\n'));

async function measureCase(name: CaseName, { rounds, threads }: Options): Promise<string[]> {
  const { config } = caseByName(name);
  const { model, buffers, run } = await prepareStep(config, { threads, precision: 'bf16' });
  const folder = await mkdtemp(join(tmpdir(), 'rectiflow-save-'));
  const runFolder = await RunFolder.create(join(folder, 'run'), {});
  const snapshot = new Snapshot({ model, buffers });
  const saver = new Saver({
    store: runFolder,
    snapshot,
    train: { steps: rounds, checkpointEvery: 1, keepCheckpoints: 1, keepEvery: 0 },
    observer: { onNotice: (text) => console.error(text) },
    flush: () => Promise.resolve(),
  });
  const timed = async (work: () => Promise<void>): Promise<number> => {
    const began = performance.now();
    await work();
    return performance.now() - began;
  };
  const copies: number[] = [];
  const writes: number[] = [];
  const alone: number[] = [];
  const beside: number[] = [];
  try {
    for (let warmUp = 0; warmUp < 3; warmUp++) await run();
    for (let round = 1; round <= rounds; round++) {
      copies.push(await timed(() => saver.begin({ step: round, state: {} })));
      const saving: number[] = [];
      const began = performance.now();
      while (saver.isWriting) saving.push(await timed(run));
      writes.push(performance.now() - began);
      const free: number[] = [];
      while (free.length < saving.length) free.push(await timed(run));
      beside.push(mean(saving));
      alone.push(mean(free));
      console.error(
        `${name} ${round}: ${saving.length} steps, ${percent(beside.at(-1)! / alone.at(-1)! - 1)}`,
      );
    }
  } finally {
    await runFolder.close();
    await rm(folder, { recursive: true, force: true });
  }
  const tensors = Object.values(snapshot.parts).flatMap((part) => [...(part?.values() ?? [])]);
  const bytes = tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
  const slower = beside.map((time, i) => time / alone[i]! - 1);
  return [
    name,
    digits(median(alone)),
    digits(median(beside)),
    `${percent(median(slower))} (${slower.map(percent).join(', ')})`,
    digits(median(copies)),
    percent(median(copies) / median(alone)),
    digits(median(writes) / 1000),
    digits(bytes / 2 ** 20),
  ];
}

/** Not the median: a few steps that are held up for long must count. */
function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
