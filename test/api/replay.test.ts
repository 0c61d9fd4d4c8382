import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Replay, type ReplayOptions, replay } from '../../src/api/replay.ts';
import { resume, train } from '../../src/api/train.ts';
import { describeRun } from '../../src/cli/info-run.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const source = stripes();

/** 12 steps, of which 1, 2, 4, ... are logged; checkpoints of 5 and 10, and of the end. */
async function trainedRun(): Promise<string> {
  const { run } = await train(
    { ...tinyStripes, train: { ...tinyStripes.train, logEvery: 2, checkpointEvery: 5 } },
    { runs: await temporaryFolder(), source, backend },
  );
  return run;
}

async function again(
  run: string,
  first: number,
  last: number,
  options: ReplayOptions = {},
): Promise<Replay & { notices: string[] }> {
  const notices: string[] = [];
  const onNotice = (text: string): void => void notices.push(text);
  return { ...(await replay(run, first, last, { source, backend, onNotice, ...options })), notices };
}

/** The steps that were replayed, each with a word if it is not what was logged. */
const outcomes = ({ steps }: Replay): (number | string)[] =>
  steps.map(({ step, isEqual }) => (isEqual ? step : `${step} differs`));

/** The names and the bytes of all files. */
async function contentsOf(run: string): Promise<unknown> {
  const entries = await readdir(run, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(files.map(async (file) => [file, await readFile(file, 'base64')]));
}

describe('replay', () => {
  let run: string;
  beforeAll(async () => {
    run = await trainedRun();
  });

  it('takes a log of as many steps as there are', async () => {
    const long = await trainedRun();
    const file = join(long, 'metrics.jsonl');
    const lines = (await readFile(file, 'utf8')).trimEnd();
    const more = Array.from({ length: 200_000 }, (_, i) => JSON.stringify({ step: 13 + i, loss: 1 }));
    await writeFile(file, `${[lines, ...more].join('\n')}\n`);
    const stop = new AbortController();
    const onProgress = (step: number): void => void (step === 12 && stop.abort());
    const compared: number[] = [];
    const onCompared = ({ step }: { step: number }): void => void compared.push(step);
    const options = { onProgress, onCompared, signal: stop.signal };
    await expect(again(long, 11, 200_012, options)).rejects.toThrow(/aborted/);
    expect(compared).toEqual([12]);
    expect((await describeRun(long)).join('\n')).toContain('step 200,012 of 12');
  });

  it('begins at the checkpoint before the steps, and only looks at the run', async () => {
    const before = await contentsOf(run);
    const seen: number[] = [];
    const result = await again(run, 7, 11, { onProgress: (step) => seen.push(step) });
    expect(result).toMatchObject({ from: 5, notices: [] });
    expect(outcomes(result)).toEqual([8, 10]);
    expect(seen).toEqual([6, 7, 8, 9, 10]);
    expect(await contentsOf(run)).toEqual(before);
  });

  it('begins at the first step where no checkpoint is before, and ends at the last', async () => {
    const result = await again(run, 5, 12);
    expect(result).toMatchObject({ from: 0, notices: [] });
    expect(outcomes(result)).toEqual([5, 6, 8, 10, 12]);
  });

  it('passes over a damaged checkpoint and names it', async () => {
    const other = await trainedRun();
    await rm(join(other, 'checkpoints', 'step-0000010', 'ema.safetensors'));
    const result = await again(other, 11, 12);
    expect(result).toMatchObject({ from: 5, notices: [expect.stringMatching(/step-0000010.ema/)] });
    expect(outcomes(result)).toEqual([12]);
  });

  it('finds a loss that differs in its last bit', async () => {
    const other = await trainedRun();
    const file = join(other, 'metrics.jsonl');
    const text = await readFile(file, 'utf8');
    const { records } = await readMetrics(file);
    const loss = records.find(({ step }) => step === 8)!.loss as number;
    const changed = new Float32Array([loss]);
    new Uint32Array(changed.buffer)[0]! ^= 1;
    await writeFile(file, text.replace(String(loss), String(changed[0])));
    const result = await again(other, 6, 10);
    expect(outcomes(result)).toEqual([6, '8 differs', 10]);
    expect(result.steps[1]).toMatchObject({ logged: changed[0], replayed: loss });
  });

  it('takes the settings that the steps were trained with, not those of today', async () => {
    const other = await trainedRun();
    const file = join(other, 'config.json');
    await writeFile(file, (await readFile(file, 'utf8')).replace('"steps": 12', '"steps": 16'));
    await resume(other, { source, backend });
    expect(outcomes(await again(other, 11, 12))).toEqual([12]);
    const later = await again(other, 13, 16);
    expect(later.from).toBe(12);
    expect(outcomes(later)).toEqual([14, 15, 16]);
    const across = await again(other, 9, 16);
    expect(across.from).toBe(0);
    expect(outcomes(across)).toEqual([10, 12, 14, 15, 16]);
  });

  it('says where other kernels compute', async () => {
    const { notices } = await again(run, 6, 6, { backend: { ...backend, name: 'cpu', isa: 'avx2' } });
    expect(notices).toEqual([expect.stringMatching(/was trained with reference, this is cpu avx2/)]);
  });

  it('can be stopped', async () => {
    await expect(again(run, 6, 12, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
  });

  it.each([
    [7, 7, /no loss of steps 7 to 7 was logged.* from 1 to 12; the nearest to these are 6 and 8\./],
    [20, 30, /no loss of steps 20 to 30 was logged.* the nearest to these is 12\./],
  ])('refuses %i..%i, of which nothing is known', async (first, last, message) => {
    await expect(again(run, first, last)).rejects.toThrow(message);
  });
});
