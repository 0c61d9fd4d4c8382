import { mkdtemp, open, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { EventLog, crc32c } from '../../src/sinks/event-file.ts';
import { writeGrid } from '../../src/pictures/image.ts';
import { histogramOf } from '../../src/sinks/histogram.ts';
import type { StepMetrics } from '../../src/train/metrics.ts';
import { scalarsOf } from '../../src/runner/scalars.ts';
import type { RectiflowError } from '../../src/tensor/errors.ts';
import { eventsOf, records } from '../support/event-file.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'events-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

const unexpected = (problem: RectiflowError): never => {
  throw problem;
};

describe('crc32c', () => {
  // The first is the check value of the CRC catalogues, the others are of RFC 3720, B.4.
  test.each([
    ['123456789', Buffer.from('123456789'), 0xe3069283],
    ['nothing', Buffer.alloc(0), 0],
    ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
    ['32 bytes of ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['0 to 31', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
    ['31 to 0', Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c],
  ])('%s', (_, data, expected) => {
    expect(crc32c(data)).toBe(expected);
  });
});

describe('an event file', () => {
  test('has the name, the first record and the start that TensorBoard looks for', async () => {
    const before = Date.now() / 1000;
    const log = await EventLog.open(folder, 300, unexpected);
    await log.close();
    const [name] = await readdir(folder);
    const [, seconds, host, pid] = /^events\.out\.tfevents\.(\d{10})\.(.+)\.(\d+)\.\d+$/.exec(name!)!;
    expect([host, Number(pid)]).toEqual([hostname(), process.pid]);
    expect(Number(seconds)).toBeGreaterThanOrEqual(Math.floor(before));
    const [version, start, ...more] = await eventsOf(folder);
    expect(version).toMatchObject({ step: 0, version: 'brain.Event:2' });
    expect(start).toMatchObject({ step: 301, status: 1 });
    expect(more).toEqual([]);
    expect(version!.wallTime).toBeGreaterThanOrEqual(before);
    expect(version!.wallTime).toBeLessThanOrEqual(Date.now() / 1000);
  });

  test('files of one second and one process are two, in order', async () => {
    for (const step of [0, 5]) await (await EventLog.open(folder, step, unexpected)).close();
    expect((await eventsOf(folder)).map(({ step }) => step)).toEqual([0, 1, 0, 6]);
  });

  test('scalars: float32, also zero, NaN and infinity; long tags, and steps past 2^32', async () => {
    const log = await EventLog.open(folder, 0, unexpected);
    const long = `ü${'x'.repeat(300)}`;
    await log.addScalars(7, { 'train/loss': 0.1, 'train/norm': 0 });
    await log.addScalars(2 ** 40 + 129, { [long]: NaN, up: Infinity, down: -1e-3 });
    await log.sync();
    await log.close();
    const [, , first, second] = await eventsOf(folder);
    expect(first).toMatchObject({ step: 7, scalars: { 'train/loss': Math.fround(0.1), 'train/norm': 0 } });
    expect(second).toMatchObject({
      step: 2 ** 40 + 129,
      scalars: { [long]: NaN, up: Infinity, down: Math.fround(-1e-3) },
    });
  });

  test.each([
    [1, 1],
    [3, 3],
  ])('pictures of %i channels', async (channels, colorspace) => {
    const path = join(folder, 'grid.png');
    await writeGrid(path, new Float32Array(2 * channels * 20 * 30), [channels, 20, 30]);
    const log = await EventLog.open(folder, 0, unexpected);
    await log.addImage(9, 'samples', path);
    await log.close();
    const image = { tag: 'samples', height: 20, width: 62, colorspace, png: await readFile(path) };
    expect((await eventsOf(folder))[2]).toMatchObject({ step: 9, image });
  });

  test('histograms: totals, the upper limit of each bucket, and its count', async () => {
    const log = await EventLog.open(folder, 0, unexpected);
    const values = histogramOf([-1, 0, 0.5, 2])!;
    await log.addHistograms(4, { 'grad_norm/blocks': values });
    await log.close();
    const [, , event] = await eventsOf(folder);
    const [histogram] = event!.histograms!;
    expect(event!.step).toBe(4);
    expect(histogram).toMatchObject({ tag: 'grad_norm/blocks', totals: [-1, 2, 4, 1.5, 5.25] });
    expect(histogram!.limits).toHaveLength(30);
    expect(histogram!.limits[0]).toBeCloseTo(-0.9);
    expect(histogram!.limits.at(-1)).toBe(2);
    expect(histogram!.counts.flatMap((count, i) => (count > 0 ? [i, count] : []))).toEqual([
      0, 1, 10, 1, 15, 1, 29, 1,
    ]);
  });

  test('texts', async () => {
    const log = await EventLog.open(folder, 0, unexpected);
    await log.addText(4, 'notices', 'größer als 1');
    await log.close();
    expect((await eventsOf(folder))[2]).toMatchObject({
      step: 4,
      text: { tag: 'notices', plugin: 'text', dtype: 7, text: 'größer als 1' },
    });
  });

  test('cut at any byte: good up to the last whole record', async () => {
    const log = await EventLog.open(folder, 0, unexpected);
    for (const step of [1, 2]) await log.addScalars(step, { loss: step });
    await log.close();
    const path = join(folder, (await readdir(folder))[0]!);
    const whole = await readFile(path);
    const ends = records(whole).map(({ end }) => end);
    expect(ends).toHaveLength(4);
    for (let length = 0; length <= whole.length; length++) {
      await writeFile(path, whole.subarray(0, length));
      expect(await eventsOf(folder)).toHaveLength(ends.filter((end) => end <= length).length);
    }
  });
});

describe('an event file that cannot be written', () => {
  test('is told once, and nothing is thrown', async () => {
    const problems: string[] = [];
    const log = await EventLog.open(join(folder, 'none'), 0, ({ message }) => problems.push(message));
    await useAll(log);
    expect(problems).toEqual([
      expect.stringMatching(
        /none.events\.out.*: events for TensorBoard cannot be written: no such file or folder\. Training goes on/,
      ),
    ]);
  });

  test('to its end: it ends with the last whole record', async () => {
    const problems: string[] = [];
    const log = await EventLog.open(folder, 0, ({ message }) => problems.push(message));
    await log.addScalars(1, { loss: 1 });
    await fillDisk(folder);
    await useAll(log);
    expect(problems).toEqual([expect.stringContaining('no space left on the disk')]);
    const path = join(
      folder,
      (await readdir(folder)).find((name) => name.startsWith('events'))!,
    );
    const bytes = await readFile(path);
    expect(
      records(bytes)
        .map(({ end }) => end)
        .at(-1),
    ).toBe(bytes.length);
    expect((await eventsOf(folder)).map(({ step }) => step)).toEqual([0, 1, 1]);
  });

  test('does not end a run, which says so', async () => {
    const none = join(folder, 'none');
    const openLog = EventLog.open.bind(EventLog);
    vi.spyOn(EventLog, 'open').mockImplementation((_folder, step, onFailure) =>
      openLog(none, step, onFailure),
    );
    const notices: string[] = [];
    const result = await train(tinyStripes, {
      runs: folder,
      source: stripes(),
      backend: referenceBackend(),
      onNotice: (text) => notices.push(text),
    });
    expect(result.finished).toBe(true);
    expect(notices).toEqual([expect.stringContaining('events for TensorBoard cannot be written')]);
  });
});

test('a run and its resumption show what metrics.jsonl has, and the grids', async () => {
  const source = stripes();
  const backend = referenceBackend();
  const stop = new AbortController();
  const { run } = await train(
    { ...tinyStripes, train: { ...tinyStripes.train, sampleEvery: 4 } },
    {
      runs: folder,
      source,
      backend,
      signal: stop.signal,
      onStep: ({ step }) => step === 8 && stop.abort(),
    },
  );
  const before = await eventsOf(run);
  await resume(run, { source, backend });
  const events = await eventsOf(run);

  expect(events.filter(({ status }) => status === 1).map(({ step }) => step)).toEqual([1, 9]);
  expect(events.slice(0, before.length)).toEqual(before);
  const { records: metrics } = await readMetrics(join(run, 'metrics.jsonl'));
  expect(metrics.map(({ step }) => step)).toEqual([1, 4, 8, 12]);
  expect(events.filter(({ scalars }) => scalars).map(({ step, scalars }) => ({ step, scalars }))).toEqual(
    metrics.map((record) => ({
      step: record.step,
      scalars: Object.fromEntries(
        Object.entries(scalarsOf(record as unknown as StepMetrics)).map(([tag, value]) => [
          tag,
          Math.fround(value),
        ]),
      ),
    })),
  );
  expect(scalarsOf(metrics[0] as unknown as StepMetrics)['train/loss']).toBe(metrics[0]!['loss']);
  const images = events.filter(({ image }) => image);
  expect(images.map(({ step, image }) => [step, image!.tag])).toEqual([
    [4, 'samples'],
    [4, 'samples_path'],
    [12, 'samples'],
    [12, 'samples_path'],
  ]);
  expect(images[2]!.image!.png).toEqual(await readFile(join(run, 'samples', 'step-0000012.png')));
});

/** Everything that a log can be asked for. */
async function useAll(log: EventLog): Promise<void> {
  await log.addScalars(2, { loss: 1 });
  await log.addHistograms(2, { norms: histogramOf([1])! });
  await log.addText(2, 'notices', 'careful');
  await log.addImage(2, 'samples', 'nowhere.png');
  await log.sync();
  await log.close();
}

/** From now on only half of what is written arrives, and then no more. */
async function fillDisk(at: string): Promise<void> {
  const probe = await open(join(at, 'probe'), 'w');
  const handles = Object.getPrototypeOf(probe) as { write: (...args: unknown[]) => Promise<unknown> };
  const { write } = handles;
  await probe.close();
  const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
  vi.spyOn(handles, 'write')
    .mockImplementationOnce(function (this: FileHandle, ...[data, start, length]: unknown[]) {
      return write.call(this, data, start, Math.floor(Number(length) / 2));
    })
    .mockRejectedValue(full);
}
