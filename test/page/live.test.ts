// What a page hears of a run while it trains.
import { appendFile, mkdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { train } from '../../src/api/train.ts';
import type { Source } from '../../src/data/source.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { RunDetails, SeriesAnswer } from '../../src/page/contract.ts';
import { changesSince } from '../../src/page/live/changes.ts';
import { currentPosition, formatPosition, parsePosition } from '../../src/page/live/position.ts';
import { lockRun } from '../../src/runs/lock.ts';
import { temporaryFolder } from '../support/cli.ts';
import { Stream } from '../support/live-stream.ts';
import { logLine, startPage, writeRun } from '../support/page.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==',
  'base64',
);

describe('events of a run that trains', () => {
  it('tell its records, pictures, checkpoints and states, each once', async () => {
    const runs = await temporaryFolder();
    const page = await startPage({ runs });
    const backend = referenceBackend();
    // Half of it is trained once the page listens.
    let listens = (): void => {};
    const listening = new Promise<void>((resolve) => (listens = resolve));
    const source = stripes();
    let reads = 0;
    const held: Source = {
      ...source,
      async read(...args) {
        if (++reads > 30) await listening;
        return source.read(...args);
      },
    };
    const config = {
      ...tinyStripes,
      train: {
        ...tinyStripes.train,
        steps: 12,
        logEvery: 1,
        sampleEvery: 4,
        checkpointEvery: 4,
        keepCheckpoints: 9,
      },
    };
    let trained: Promise<unknown> | undefined;
    await new Promise<void>((resolve) => {
      trained = train(config, { runs, source: held, backend, onStart: () => resolve() });
    });
    const live = await Stream.open(page, 'stripes');
    listens();
    await trained;
    await live.until(() =>
      live.of('state').some(({ data }) => (data['summary'] as { state: string }).state === 'finished'),
    );
    const details = await page.get<RunDetails>('/api/runs/stripes');
    const series = await page.get<SeriesAnswer>('/api/runs/stripes/series?fields=loss');
    const logged = series.fields['loss']!.step;
    expect(logged).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(live.steps).toEqual(logged.slice(-live.steps.length));
    expect(live.steps.length).toBeGreaterThanOrEqual(6);
    const pictures = live.of('picture').map(({ data }) => data['sample']);
    expect(details.samples).toEqual(expect.arrayContaining(pictures));
    expect(new Set(pictures.map((sample) => JSON.stringify(sample))).size).toBe(pictures.length);
    expect(pictures).toContainEqual({ step: 12, kind: 'grid', file: 'step-0000012.png' });
    expect(live.of('checkpoint').at(-1)!.data['checkpoint']).toEqual(details.checkpoints.at(-1));
    live.close();
  });

  it('go on after any of them', async () => {
    const runs = await temporaryFolder();
    const run = await writeRun(runs, 'one', { log: [logLine(1)] });
    const page = await startPage({ runs });
    const { live: after } = await page.get<SeriesAnswer>('/api/runs/one/series?fields=loss');
    await appendFile(join(run, 'metrics.jsonl'), [2, 3, 4].map((step) => `${logLine(step)}\n`).join(''));
    await appendFile(join(run, 'notices.log'), 'step 4: a notice\nstep 4: another\n');
    const first = await Stream.open(page, 'one', after);
    await first.until(() => first.of('notice').length === 2);
    expect(first.steps).toEqual([2, 3, 4]);
    expect(first.heard.map(({ type }) => type)).toEqual([
      'state',
      'record',
      'record',
      'record',
      'notice',
      'notice',
    ]);
    first.close();
    await appendFile(join(run, 'metrics.jsonl'), `${logLine(5)}\n`);
    await writeFile(join(run, 'samples', 'step-0000005.png'), png);
    for (const [i, event] of first.heard.entries()) {
      const again = await Stream.open(page, 'one', event.id);
      await again.until(() => again.of('picture').length === 1);
      const expected = [2, 3, 4, 5].slice(Math.max(0, Math.min(3, i)));
      expect([event.type, again.steps]).toEqual([event.type, expected]);
      again.close();
    }
  });

  it.each([
    '',
    'nonsense',
    '1.2.3',
    '-9.-9.0.0.0.0.0.0.',
    `${'9'.repeat(20)}.${'9'.repeat(20)}.0.0.0.0.0.0.AA`,
  ])('go on whatever a client sends: %j', async (after) => {
    const runs = await temporaryFolder();
    const run = await writeRun(runs, 'one', { log: [logLine(1)] });
    const page = await startPage({ runs });
    const stream = await Stream.open(page, 'one', after);
    await appendFile(join(run, 'metrics.jsonl'), `${logLine(2)}\n`);
    await stream.until(() => stream.steps.includes(2));
    expect(stream.steps.at(-1)).toBe(2);
    stream.close();
  });

  it('say that the log was cut, or made anew, and go on behind that', async () => {
    const runs = await temporaryFolder();
    const lines = [1, 2, 3, 4, 5, 6].map((step) => logLine(step));
    const run = await writeRun(runs, 'one', { log: lines });
    const log = join(run, 'metrics.jsonl');
    const page = await startPage({ runs });
    const stream = await Stream.open(page, 'one');
    await truncate(log, lines.slice(0, 4).join('\n').length + 1);
    await stream.until(() => stream.of('cut').length === 1);
    expect(stream.of('cut')[0]!.data).toEqual({ step: 4 });
    await appendFile(log, `${logLine(5, { loss: 9 })}\n`);
    await stream.until(() => stream.steps.length === 1);
    await rm(log);
    await writeFile(log, `${logLine(1)}\n${logLine(2)}\n`);
    await stream.until(() => stream.of('cut').length === 2);
    // Who was away meanwhile hears of it as well.
    const away = await Stream.open(page, 'one', stream.of('record')[0]!.id);
    await away.until(() => away.of('cut').length === 1);
    stream.close();
    away.close();
  });

  it('tell who is far behind to ask for series', async () => {
    const runs = await temporaryFolder();
    const run = await writeRun(runs, 'one', { log: [logLine(1)] });
    const page = await startPage({ runs });
    const { live } = await page.get<SeriesAnswer>('/api/runs/one/series?fields=loss');
    const lines = Array.from({ length: 20_000 }, (_, i) => `${logLine(i + 2, { filler: 'x'.repeat(60) })}\n`);
    await appendFile(join(run, 'metrics.jsonl'), lines.join(''));
    const stream = await Stream.open(page, 'one', live);
    await stream.until(() => stream.of('behind').length === 1);
    await appendFile(join(run, 'metrics.jsonl'), `${logLine(30_000)}\n`);
    await stream.until(() => stream.steps.length > 0);
    expect(stream.steps).toEqual([30_000]);
    stream.close();
  });

  it('end where the run is deleted or renamed', async () => {
    const runs = await temporaryFolder();
    const page = await startPage({ runs });
    for (const [name, remove] of [
      ['deleted', (run: string) => rm(run, { recursive: true })],
      ['renamed', (run: string) => rename(run, `${run}-2`)],
    ] as const) {
      const run = await writeRun(runs, name, { log: [logLine(1)] });
      const stream = await Stream.open(page, name);
      await remove(run);
      await stream.until(() => stream.isOver);
      expect(stream.heard.at(-1)).toMatchObject({
        type: 'gone',
        data: {
          sentence: `The run "${name}" is gone: it was deleted or renamed, or cannot be read any more.`,
        },
      });
    }
  });

  it('tell that a process takes the run, and gives it back', async () => {
    const runs = await temporaryFolder();
    const run = await writeRun(runs, 'one', { log: [logLine(1)] });
    const page = await startPage({ runs });
    const stream = await Stream.open(page, 'one');
    const states = (): unknown[] =>
      stream.of('state').map(({ data }) => (data['summary'] as { state: string }).state);
    const lock = await lockRun(run);
    await stream.until(() => states().includes('training'));
    await lock.release();
    await stream.until(() => states().length === 3);
    expect(states()).toEqual(['stopped', 'training', 'stopped']);
    stream.close();
  });

  it('end with the server', async () => {
    const runs = await temporaryFolder();
    await writeRun(runs, 'one', { log: [logLine(1)] });
    const page = await startPage({ runs });
    const stream = await Stream.open(page, 'one');
    await page.server.close();
    await stream.until(() => stream.isOver);
    expect(stream.of('gone')).toEqual([]);
  });
});

describe('a log that was cut', () => {
  it('is told also where it has grown again, to more than it was', async () => {
    const lines = [1, 2, 3, 4].map((step) => logLine(step));
    const run = await writeRun(await temporaryFolder(), 'one', { log: lines });
    const at = await currentPosition(run);
    const log = join(run, 'metrics.jsonl');
    await truncate(log, lines.slice(0, 2).join('\n').length + 1);
    const later = [3, 4, 5, 6].map((step) => `${logLine(step, { loss: 0.123456 })}\n`);
    await appendFile(log, later.join(''));
    const { changes } = await changesSince(run, at);
    expect(changes.map(({ event }) => event)).toEqual([{ type: 'cut', step: 0 }]);
    expect((await changesSince(run, changes[0]!.at)).changes).toEqual([]);
  });
});

describe('a picture that is being written', () => {
  it('is told when it is whole', async () => {
    const run = await writeRun(await temporaryFolder(), 'one');
    const at = await currentPosition(run);
    const path = join(run, 'samples', 'step-0000003.png');
    await writeFile(path, png.subarray(0, 50));
    expect(await changesSince(run, at)).toEqual({ changes: [], waiting: true, read: 0 });
    await writeFile(path, png);
    const { changes, waiting } = await changesSince(run, at);
    expect(changes.map(({ event }) => event)).toEqual([
      { type: 'picture', sample: { step: 3, kind: 'grid', file: 'step-0000003.png' } },
    ]);
    expect(waiting).toBe(false);
  });
});

describe('steering', () => {
  it('is told as it is recorded', async () => {
    const run = await writeRun(await temporaryFolder(), 'one');
    const at = await currentPosition(run);
    const event = { id: 'a', step: 3, time: '2026-01-01T00:00:00Z', kind: 'pause', outcome: 'applied' };
    await writeFile(join(run, 'events.jsonl'), `${JSON.stringify(event)}\n{"half`);
    const { changes } = await changesSince(run, at);
    expect(changes.map((change) => change.event)).toEqual([{ type: 'steering', event }]);
    expect((await changesSince(run, changes[0]!.at)).changes).toEqual([]);
  });
});

describe('a position', () => {
  it('is read as it was written', async () => {
    const run = await writeRun(await temporaryFolder(), 'one', { log: [logLine(1), logLine(2)] });
    await mkdir(join(run, 'checkpoints', 'step-0000007'), { recursive: true });
    const position = await currentPosition(run);
    expect(position).toMatchObject({ checkpoint: 7, pictures: { grid: -1 } });
    expect(parsePosition(formatPosition(position))).toEqual(position);
  });
});
