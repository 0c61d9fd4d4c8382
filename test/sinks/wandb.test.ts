import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeGrid } from '../../src/pictures/image.ts';
import { histogramOf } from '../../src/sinks/histogram.ts';
import type { SinkStart } from '../../src/sinks/metric-sink.ts';
import { RemoteId } from '../../src/sinks/remote-id.ts';
import { RemoteSink } from '../../src/sinks/remote-sink.ts';
import { wandbCredentials } from '../../src/sinks/secrets.ts';
import { WandbRun } from '../../src/sinks/wandb.ts';
import { temporaryFolder } from '../support/cli.ts';
import { key, startWandb } from '../support/wandb-peer.ts';

const start: SinkStart = { name: 'digits-2', config: { seed: 1, train: { steps: 40 } }, step: 0 };
const never = new AbortController().signal;

function sinkTo(url: string, folder: string, notices: string[] = []): RemoteSink {
  const environment = { WANDB_API_KEY: `${key}\n`, WANDB_BASE_URL: url };
  const credentials = wandbCredentials({ url }, { environment });
  const run = new WandbRun({ project: 'digits' }, credentials, new RemoteId(folder, 'wandb'));
  return new RemoteSink(run, { onNotice: (text) => notices.push(text), pauseMs: 1, retryMs: 1 });
}

const parsed = (lines: string[] | undefined): unknown[] => lines!.map((line) => JSON.parse(line));

describe('a run at Weights & Biases', () => {
  it('has one line for a step, a summary, pictures, notices, and an end', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'grid.png');
    await writeGrid(path, new Float32Array(2 * 20 * 30), [1, 20, 30]);
    const server = await startWandb();
    const sink = sinkTo(server.url, folder);
    sink.start(start);
    sink.scalars(10, { 'train/loss': 0.5, bad: NaN });
    sink.histograms(10, { norms: histogramOf([1, 2])! });
    sink.scalars(20, { 'train/loss': 0.25 });
    sink.image(20, 'samples', path);
    sink.notice(20, 'the EMA is not warm yet');
    await sink.end('finished', never);

    const { run } = JSON.parse(await readFile(join(folder, 'wandb.json'), 'utf8')) as { run: string };
    expect(run).toMatch(/^[a-z\d]{8}$/);
    expect(server.names.get(run)).toBe('digits-2');
    expect(server.configs.get(run)).toEqual({ seed: { value: 1 }, train: { value: { steps: 40 } } });
    const files = server.lines.get(run)!;
    const png = await readFile(path);
    const sha256 = createHash('sha256').update(png).digest('hex');
    const picture = `media/images/samples_20_${sha256.slice(0, 20)}.png`;
    const samples = {
      _type: 'image-file',
      path: picture,
      sha256,
      size: png.length,
      width: 62,
      height: 20,
      format: 'png',
    };
    const { counts, edges } = histogramOf([1, 2])!;
    const rows = parsed(files.get('wandb-history.jsonl'));
    expect(rows).toEqual([
      {
        _step: 10,
        _timestamp: expect.any(Number),
        _runtime: expect.any(Number),
        'train/loss': 0.5,
        bad: 'NaN',
        norms: { _type: 'histogram', values: counts, bins: edges },
      },
      {
        _step: 20,
        _timestamp: expect.any(Number),
        _runtime: expect.any(Number),
        'train/loss': 0.25,
        samples,
      },
    ]);
    expect(parsed(files.get('wandb-summary.json'))).toEqual([
      { ...(rows[0] as object), ...(rows[1] as object) },
    ]);
    expect(files.get('output.log')).toEqual([
      expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+ the EMA is not warm yet\n$/),
    ]);
    expect(server.uploads.get(`/storage/${picture}?signature=abc`)).toEqual(png);
    expect(server.streams.flatMap(({ uploaded = [] }) => uploaded)).toEqual([picture]);
    expect(server.streams.at(-1)).toEqual({ complete: true, exitcode: 0 });
  });

  it('goes on when the run is resumed, and repeats no step', async () => {
    const folder = await temporaryFolder();
    const server = await startWandb();
    for (const [first, last] of [
      [1, 4],
      [3, 6],
    ] as const) {
      const sink = sinkTo(server.url, folder);
      sink.start({ ...start, step: first - 1 });
      for (let step = first; step <= last; step++) sink.scalars(step, { [`loss${first}`]: step });
      sink.notice(last, 'bye');
      await sink.end('stopped', never);
    }
    expect([...server.lines]).toHaveLength(1);
    const [files] = server.lines.values();
    const rows = parsed(files!.get('wandb-history.jsonl')) as Record<string, number>[];
    expect(rows.map(({ _step: step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(parsed(files!.get('wandb-summary.json'))).toEqual([
      expect.objectContaining({ loss1: 4, loss3: 6 }),
    ]);
    expect(files!.get('output.log')).toHaveLength(2);
    expect(server.streams.at(-1)).toEqual({ complete: true, exitcode: 255 });
  });

  it('is told of trouble once, and what waits arrives when it is over', async () => {
    const notices: string[] = [];
    const failed = new Set<string>();
    // Each kind of request fails the first time.
    const server = await startWandb(({ path, body }) => {
      const kind = path + String(body.subarray(0, 30));
      if (failed.has(kind)) return undefined;
      failed.add(kind);
      return { status: 503, json: { error: 'busy' } };
    });
    const sink = sinkTo(server.url, await temporaryFolder(), notices);
    sink.start(start);
    for (const step of [1, 2, 3]) sink.scalars(step, { loss: step });
    await sink.end('finished', never);
    const [files] = server.lines.values();
    expect(files!.get('wandb-history.jsonl')).toHaveLength(3);
    expect(notices).toEqual([
      `Weights & Biases cannot be reached: POST ${server.url}/graphql: the answer is 503 {"error":"busy"}. ` +
        'Training goes on, what waits is sent when it can be, and metrics.jsonl has the same numbers.',
    ]);
  });

  it('that is refused ends with an error that names the variable, and not the key', async () => {
    const encoded = Buffer.from(`api:${key}`).toString('base64');
    const server = await startWandb(() => ({ status: 401, json: { error: `bad: ${key} ${encoded}` } }));
    const sink = sinkTo(server.url, await temporaryFolder());
    sink.start(start);
    await expect(sink.end('finished', never)).rejects.toThrow(
      `POST ${server.url}/graphql: the answer is 401 {"error":"bad: [secret] [secret]"}. Check WANDB_API_KEY`,
    );
    expect(() => sink.scalars(1, { loss: 1 })).toThrow('401');
    const graphql = await startWandb(() => ({ json: { errors: [{ message: `no project for ${key}` }] } }));
    const other = sinkTo(graphql.url, await temporaryFolder());
    other.start(start);
    await expect(other.end('finished', never)).rejects.toThrow('no project for [secret]');
  });

  it('that cannot be reached keeps a bounded number of records, and gives up when told to', async () => {
    const notices: string[] = [];
    const environment = { WANDB_API_KEY: key, WANDB_BASE_URL: 'http://127.0.0.1:9' };
    const credentials = wandbCredentials({}, { environment });
    const id = new RemoteId(await temporaryFolder(), 'wandb');
    // Port 9 (discard) is closed on any machine that runs tests.
    const run = new WandbRun({ project: 'digits' }, credentials, id);
    const sink = new RemoteSink(run, {
      onNotice: (text) => notices.push(text),
      pauseMs: 1,
      retryMs: 1,
      capacity: 5,
    });
    sink.start(start);
    for (let step = 1; step <= 20; step++) sink.scalars(step, { loss: step });
    await expect(sink.end('finished', AbortSignal.timeout(50))).rejects.toThrow(
      /^POST http:\/\/127\.0\.0\.1:9\/graphql: /,
    );
    expect(notices.toSorted()).toEqual([
      expect.stringMatching(/^Weights & Biases cannot be reached: POST http:\/\/127\.0\.0\.1:9\/graphql: /),
      'Weights & Biases: more than 5 records wait to be sent, so the oldest are left out.',
    ]);
  });
});
