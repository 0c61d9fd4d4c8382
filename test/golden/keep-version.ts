// Keeps runs of this version that were stopped in the middle, and what becomes of them when they go on. version-0.1/README.md says
// how to call it.
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { referenceBackend, train } from '../../src/index.ts';
import { checkpointFile, digest, goOn } from './kept-outcome.ts';
import { keptRuns, steps, stopped } from './kept-runs.ts';

const [, , folder] = process.argv;
if (folder === undefined) throw new Error('Say where to keep the runs: test/golden/version-<version>');

for (const [name, { config, precision, source: open }] of Object.entries(keptRuns)) {
  const runs = await mkdtemp(join(tmpdir(), 'rectiflow-'));
  const source = await open(runs);
  const backend = referenceBackend({ precision });
  const controller = new AbortController();
  const { run } = await train(config, {
    runs,
    source,
    backend,
    signal: controller.signal,
    onStep: ({ step }) => void (step === stopped && controller.abort()),
  });
  const kept = join(folder, name);
  await keep(run, join(kept, 'run'));
  const outcome = await goOn(run, source, backend);
  await source.close?.();
  await mkdir(join(kept, 'end'));
  await writeFile(join(kept, 'end', 'expected.json'), `${JSON.stringify(digest(outcome), null, 2)}\n`);
  // Averages are compared with a tolerance, which digests have not.
  for (const part of ['ema', 'averages']) {
    const file = checkpointFile(run, steps, part);
    await cp(file, join(kept, 'end', `${part}.safetensors`)).catch(ignoreMissing);
  }
  await rm(runs, { recursive: true });
}

/** What a run is without pictures and what other programs read, and without the name of the machine. */
async function keep(run: string, to: string): Promise<void> {
  for (const part of ['config.json', 'metrics.jsonl', 'checkpoints', 'averages'])
    await cp(join(run, part), join(to, part), { recursive: true }).catch(ignoreMissing);
  const file = join(to, 'config.json');
  const record = JSON.parse(await readFile(file, 'utf8')) as { machine: object };
  const told = { ...record, machine: { ...record.machine, host: 'localhost' } };
  await writeFile(file, `${JSON.stringify(told, null, 2)}\n`);
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
