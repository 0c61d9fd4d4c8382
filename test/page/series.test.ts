// Numbers over time, from logs that grow, are cut and are long.
import { createWriteStream } from 'node:fs';
import { appendFile, rm, truncate, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FieldSeries, SeriesAnswer } from '../../src/page/contract.ts';
import { type SeriesQuestion, SeriesStore, seriesLimits } from '../../src/page/series/store.ts';
import { temporaryFolder } from '../support/cli.ts';
import { failure, logLine, startPage, writeRun } from '../support/page.ts';

type Answer = Omit<SeriesAnswer, 'live'>;

const all = { from: 0, to: Number.MAX_SAFE_INTEGER, points: 1500 };

async function logOf(lines: readonly string[]): Promise<string> {
  const path = join(await temporaryFolder(), 'metrics.jsonl');
  await writeFile(path, lines.map((line) => `${line}\n`).join(''));
  return path;
}

function ask(
  path: string,
  fields: readonly string[],
  more: Partial<SeriesQuestion> = {},
  store = new SeriesStore(),
): Promise<Answer> {
  return store.answer(path, { ...all, fields, ...more });
}

describe('the numbers of a log', () => {
  it('are those of each record where there are few', async () => {
    const path = await logOf([1, 2, 4].map((step) => logLine(step, { gradNorm: step * 2 })));
    const { fields, ...rest } = await ask(path, ['gradNorm', 'none']);
    expect(rest).toEqual({
      isApproximate: false,
      records: 3,
      damaged: 0,
      notes: [],
      steps: { first: 1, last: 4 },
    });
    expect(fields['gradNorm']).toEqual({
      isRaw: true,
      step: [1, 2, 4],
      epoch: [0.01, 0.02, 0.04],
      seconds: [0.1, 0.2, 0.4],
      min: [2, 4, 8],
      mean: [2, 4, 8],
      max: [2, 4, 8],
      last: [2, 4, 8],
      count: [1, 1, 1],
      gaps: { count: 0, first: [] },
    } satisfies FieldSeries);
    expect(fields['none']).toMatchObject({ step: [], last: [] });
  });

  it('are the least, mean, greatest and last of buckets where there are many', async () => {
    const values = Array.from({ length: 1000 }, (_, i) => Math.sin(i * 12.9898) * 43.7);
    const path = await logOf(values.map((value, i) => logLine(i + 1, { value })));
    const { fields } = await ask(path, ['value'], { points: 100 });
    const { isRaw, step, min, mean, max, last, count } = fields['value']!;
    expect([isRaw, step.length, step.at(-1), new Set(count)]).toEqual([false, 100, 1000, new Set([10])]);
    for (const bucket of [0, 37, 99]) {
      const own = values.slice(10 * bucket, 10 * bucket + 10);
      expect([min[bucket], max[bucket], last[bucket]]).toEqual([Math.min(...own), Math.max(...own), own[9]]);
      expect(mean[bucket]).toBeCloseTo(own.reduce((sum, value) => sum + value) / 10, 10);
    }
  });

  it('are of the steps that are asked for, whole records of fields that few of them have', async () => {
    const lines = Array.from({ length: 1000 }, (_, i) =>
      logLine(i + 1, i % 100 === 99 ? { heldOutLoss: i } : {}),
    );
    const path = await logOf(lines);
    const { fields, steps } = await ask(path, ['loss', 'heldOutLoss'], { from: 200, to: 700, points: 10 });
    expect(steps).toEqual({ first: 1, last: 1000 });
    expect(fields['loss']!.step).toHaveLength(10);
    expect(fields['loss']!.count.reduce((sum, count) => sum + count)).toBe(501);
    expect(fields['heldOutLoss']).toMatchObject({ isRaw: true, step: [200, 300, 400, 500, 600, 700] });
  });

  it('are told by name where they are not finite, and tell where they are missing', async () => {
    const losses = [1, 'NaN', 'Infinity', 3, '-Infinity', null, 'text', true];
    const path = await logOf(losses.map((loss, i) => logLine(i + 1, { loss })));
    const { fields } = await ask(path, ['loss']);
    expect(fields['loss']).toMatchObject({
      step: [1, 2, 3, 4, 5],
      min: [1, null, null, 3, null],
      last: [1, 'NaN', 'Infinity', 3, '-Infinity'],
      gaps: {
        count: 3,
        first: [
          { step: 2, value: 'NaN' },
          { step: 3, value: 'Infinity' },
          { step: 5, value: '-Infinity' },
        ],
      },
    });
    const bucket = await logOf(
      Array.from({ length: 40 }, (_, i) => logLine(i + 1, { loss: i % 2 ? 'NaN' : 2 })),
    );
    expect((await ask(bucket, ['loss'], { points: 10 })).fields['loss']).toMatchObject({
      mean: new Array(10).fill(2),
      last: new Array(10).fill('NaN'),
      gaps: { count: 20 },
    });
  });

  it('of groups and lists go by dotted names', async () => {
    const nested = {
      gradNormByBlock: { 'blocks.0': 1, 'a.b.c': 2 },
      lossByTime: [null, 5],
      __proto__: { x: 1 },
    };
    const path = await logOf([logLine(1, nested)]);
    const names = [
      'gradNormByBlock.blocks.0',
      'gradNormByBlock.a.b.c',
      'lossByTime.0',
      'lossByTime.1',
      'lossByTime.length',
      'constructor.name',
      '__proto__',
    ];
    const { fields } = await ask(path, names);
    expect(Object.keys(fields).toSorted()).toEqual(names.toSorted());
    expect(names.map((name) => fields[name]!.last)).toEqual([[1], [2], [], [5], [], [], []]);
  });

  it('leave out lines that are no records, and count them', async () => {
    const path = await logOf([
      logLine(1),
      '',
      'broken {',
      '[]',
      '{"loss":1}',
      '7',
      logLine(3),
      logLine(2),
      logLine(4),
    ]);
    await appendFile(path, logLine(5));
    const answer = await ask(path, ['loss']);
    expect(answer).toMatchObject({ records: 3, damaged: 6 });
    expect(answer.fields['loss']!.step).toEqual([1, 3, 4]);
  });

  it('may be of a file that is no log at all', async () => {
    const path = join(await temporaryFolder(), 'metrics.jsonl');
    await writeFile(path, Buffer.alloc(9 << 20, 'x'));
    expect(await ask(path, ['loss'])).toMatchObject({ records: 0, steps: null });
    await writeFile(path, '');
    expect(await ask(path, ['loss'])).toMatchObject({ records: 0, steps: null, isApproximate: false });
    expect(await ask(join(path, 'none'), ['loss']).catch((error: unknown) => error)).toMatchObject({
      code: 'ENOTDIR',
    });
  });
});

describe('a log that changes', () => {
  const steps = async (store: SeriesStore, path: string, field = 'loss'): Promise<readonly number[]> =>
    (await ask(path, [field], {}, store)).fields[field]!.step;

  it('is read on from where it was', async () => {
    const path = await logOf(Array.from({ length: 1000 }, (_, i) => logLine(i + 1)));
    const store = new SeriesStore();
    expect(await steps(store, path)).toHaveLength(1000);
    const before = store.bytesRead;
    expect(await steps(store, path)).toHaveLength(1000);
    const line = logLine(1001);
    await appendFile(path, line.slice(0, 10));
    expect(await steps(store, path)).toHaveLength(1000);
    await appendFile(path, `${line.slice(10)}\n`);
    expect((await steps(store, path)).at(-1)).toBe(1001);
    expect(store.bytesRead - before).toBeLessThan(1000);
  });

  it('is read anew where lines were dropped, also where it has grown again since', async () => {
    const lines = Array.from({ length: 20 }, (_, i) => logLine(i + 1));
    const path = await logOf(lines);
    const store = new SeriesStore();
    expect(await steps(store, path)).toHaveLength(20);
    await truncate(path, lines.slice(0, 10).join('\n').length + 1);
    expect((await steps(store, path)).at(-1)).toBe(10);
    // As a run that is resumed does: other lines, more of them.
    await truncate(path, lines.slice(0, 5).join('\n').length + 1);
    await appendFile(path, Array.from({ length: 9 }, (_, i) => `${logLine(i + 6, { loss: 7 })}\n`).join(''));
    const { fields } = await ask(path, ['loss'], {}, store);
    expect(fields['loss']!.step.at(-1)).toBe(14);
    expect(fields['loss']!.last.slice(4)).toEqual([0.2, ...new Array(9).fill(7)]);
  });

  it('is another one where it was deleted and made anew', async () => {
    const path = await logOf([logLine(1), logLine(2)]);
    const store = new SeriesStore();
    expect(await steps(store, path)).toEqual([1, 2]);
    await rm(path);
    expect(await steps(store, path)).toEqual([]);
    await writeFile(path, `${logLine(3)}\n${logLine(4)}\n${logLine(5)}\n`);
    expect(await steps(store, path)).toEqual([3, 4, 5]);
  });

  it('is read once more for fields that were not asked for before', async () => {
    const path = await logOf([1, 2].map((step) => logLine(step, { gradNorm: -step })));
    const store = new SeriesStore();
    expect(await steps(store, path)).toEqual([1, 2]);
    await appendFile(path, `${logLine(3, { gradNorm: -3 })}\n`);
    const [both, one] = await Promise.all([
      ask(path, ['gradNorm', 'loss'], {}, store),
      ask(path, ['epoch'], {}, store),
    ]);
    expect(both.fields['gradNorm']!.last).toEqual([-1, -2, -3]);
    expect(both.fields['loss']!.last).toEqual([1, 0.5, 1 / 3]);
    expect(one.fields['epoch']!.last).toEqual([0.01, 0.02, 0.03]);
  });
});

/** A log with a line for each step, of about 300 bytes. */
async function longLog(records: number): Promise<string> {
  const path = join(await temporaryFolder(), 'metrics.jsonl');
  const file = createWriteStream(path);
  const filler = ','.concat(Array.from({ length: 12 }, (_, i) => `"field${i}":0.12345678901234`).join(','));
  for (let step = 1; step <= records;) {
    let piece = '';
    for (const end = Math.min(records, step + 9999); step <= end; step++)
      piece += `{"step":${step},"loss":${1 / step},"epoch":${step / 1000},"seconds":${step / 10}${filler}}\n`;
    if (!file.write(piece)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'close');
  return path;
}

describe('a log of 1,000,000 lines', () => {
  it('is first answered from a sample of lines, then from all', async () => {
    const records = 1_000_000;
    const path = await longLog(records);
    const store = new SeriesStore();
    const first = await ask(path, ['loss'], {}, store);
    // Of more than 300 MB.
    expect(store.bytesRead).toBeLessThan(16 << 20);
    expect(first).toMatchObject({ isApproximate: true, steps: { first: 1, last: records }, notes: [] });
    expect(Math.abs(first.records / records - 1)).toBeLessThan(0.05);
    const { step, last, isRaw } = first.fields['loss']!;
    expect([isRaw, step[0], step.at(-1)]).toEqual([false, 1, records]);
    expect(step.length).toBeGreaterThan(900);
    // Evenly spaced, and each value that of its step.
    const gaps = step.slice(1).map((each, i) => each - step[i]!);
    expect(Math.max(...gaps)).toBeLessThan((3 * records) / 1000);
    expect(last).toEqual(step.map((each) => 1 / each));

    const part = await ask(path, ['loss'], { from: 400_000, to: 410_000 }, store);
    const inside = part.fields['loss']!.step;
    expect(Math.min(...inside)).toBeGreaterThanOrEqual(400_000);
    expect(Math.max(...inside)).toBeLessThanOrEqual(410_000);
    expect(inside.length).toBeGreaterThan(500);

    let answer = part;
    while (answer.isApproximate) {
      await new Promise((next) => setTimeout(next, 100));
      answer = await ask(path, ['loss'], {}, store);
    }
    expect(answer).toMatchObject({ records, damaged: 0, steps: { first: 1, last: records } });
    expect(answer.fields['loss']!.count.reduce((sum, count) => sum + count)).toBe(records);
    expect(store.bytesHeld).toBeLessThan(seriesLimits.memory);
  }, 180_000);

  it('that would take too much memory is always answered from a sample, and that is said', async () => {
    const path = await longLog(30_000);
    const store = new SeriesStore({ memory: 1 << 20, waitedFor: 1 << 20 });
    for (let round = 0; round < 2; round++) {
      const answer = await ask(path, ['loss', 'field1'], {}, store);
      expect(answer.isApproximate).toBe(true);
      expect(answer.notes).toEqual([expect.stringMatching(/^The log has 11 MiB: .* the 1 MiB of memory/)]);
    }
    expect(store.bytesHeld).toBe(0);
    // One field has room.
    let answer = await ask(path, ['loss'], {}, new SeriesStore({ memory: 2 << 20, waitedFor: 1 << 20 }));
    expect(answer.notes).toEqual([]);
    const roomy = new SeriesStore({ memory: 2 << 20, waitedFor: 1 << 20 });
    do answer = await ask(path, ['loss'], {}, roomy);
    while (answer.isApproximate);
    expect(answer.records).toBe(30_000);
  });
});

describe('the memory that is held', () => {
  it('is bounded: what was not asked for for longest goes first', async () => {
    const store = new SeriesStore({ memory: 300_000, waitedFor: 4 << 20 });
    const paths = await Promise.all(
      [1, 2, 3, 4].map(() => logOf(Array.from({ length: 2000 }, (_, i) => logLine(i + 1)))),
    );
    for (const path of paths) await ask(path, ['loss'], {}, store);
    expect(store.bytesHeld).toBeLessThanOrEqual(300_000);
    const before = store.bytesRead;
    await ask(paths[3]!, ['loss'], {}, store);
    expect(store.bytesRead - before).toBeLessThan(1000);
    await ask(paths[0]!, ['loss'], {}, store);
    expect(store.bytesRead - before).toBeGreaterThan(100_000);
  });
});

describe('a question about numbers', () => {
  it('is checked', async () => {
    const runs = await temporaryFolder();
    await writeRun(runs, 'one', { log: [logLine(1), logLine(2)] });
    const page = await startPage({ runs });
    const answer = await page.get<SeriesAnswer>(
      '/api/runs/one/series?fields=loss,epoch&fields=seconds&from=2&points=10',
    );
    expect(Object.values(answer.fields).map(({ step }) => step)).toEqual([[2], [2], [2]]);
    for (const [query, error] of [
      ['', 'fields must be 1 to 200 names, as in fields=loss,gradNorm.'],
      ['fields=,', 'fields must be 1 to 200 names, as in fields=loss,gradNorm.'],
      ['fields=loss&points=9', 'points must be a whole number from 10 to 10000, got "9".'],
      ['fields=loss&points=1e9', 'points must be a whole number from 10 to 10000, got "1e9".'],
      ['fields=loss&from=-1', 'from must be a whole number from 0 to 9007199254740991, got "-1".'],
    ])
      expect(await failure(await page.fetch(`/api/runs/one/series?${query}`))).toEqual({
        status: 400,
        error,
      });
  });
});
