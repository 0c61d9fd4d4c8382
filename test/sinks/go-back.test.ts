import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import type { MetricSink } from '../../src/sinks/metric-sink.ts';
import { MlflowRun } from '../../src/sinks/mlflow.ts';
import { RemoteId } from '../../src/sinks/remote-id.ts';
import { type RemoteEvent, type RemoteRun, RemoteSink } from '../../src/sinks/remote-sink.ts';
import { mlflowCredentials, wandbCredentials } from '../../src/sinks/secrets.ts';
import { Sinks } from '../../src/sinks/sinks.ts';
import { WandbRun } from '../../src/sinks/wandb.ts';
import { spoilt } from '../support/bad-data.ts';
import { temporaryFolder } from '../support/cli.ts';
import type { Answer, Received } from '../support/http-peer.ts';
import { type MlflowPeer, startMlflow, token } from '../support/mlflow-peer.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';
import { type WandbPeer, key, startWandb } from '../support/wandb-peer.ts';

const backend = referenceBackend();
const never = new AbortController().signal;
const start = { name: 'digits-2', config: { seed: 1 }, step: 0 };

afterEach(() => {
  vi.unstubAllEnvs();
});

type Row = Record<string, number>;

/** The history of each run, the first to be made first. */
function histories({ lines }: WandbPeer): Row[][] {
  return [...lines.values()].map((files) =>
    (files.get('wandb-history.jsonl') ?? []).map((row) => JSON.parse(row) as Row),
  );
}

function curve(rows: readonly Row[], tag = 'loss'): unknown[] {
  return rows.map((row) => [row['_step'], row[tag]]);
}

function pointsOf({ runs }: MlflowPeer, id: string, tag = 'loss'): unknown[] {
  const { metrics } = runs.get(id)!;
  return metrics.filter((metric) => metric.key === tag).map(({ step, value }) => [step, value]);
}

function wandbTo(url: string, folder: string): WandbRun {
  const environment = { WANDB_API_KEY: key, WANDB_BASE_URL: url };
  const id = new RemoteId(folder, 'wandb');
  return new WandbRun({ project: 'digits' }, wandbCredentials({}, { environment }), id);
}

function mlflowTo(url: string, folder: string): MlflowRun {
  const environment = { MLFLOW_TRACKING_TOKEN: token, MLFLOW_TRACKING_URI: url };
  const credentials = mlflowCredentials({ url }, { environment });
  return new MlflowRun({ url, experiment: 'digits' }, credentials, new RemoteId(folder, 'mlflow'), () => {});
}

/** What the run's folder has: the loss of step n is n. */
async function logged(last: number): Promise<RemoteEvent[]> {
  const steps = Array.from({ length: last }, (_, i) => i + 1);
  return steps.map((step) => ({ kind: 'scalars', step, time: 1000 * step, values: { loss: step } }));
}

/** Logs steps 1 to 4, waits until 3 have been sent, goes back to step 2, and logs 3 to 5 as they are then. */
async function goBackAfterSending(run: RemoteRun, hasThree: () => boolean): Promise<string[]> {
  const notices: string[] = [];
  const onNotice = (text: string): void => void notices.push(text);
  const sink = new RemoteSink(run, { onNotice, logged, pauseMs: 1, retryMs: 1 });
  sink.start(start);
  for (const step of [1, 2, 3, 4]) sink.scalars(step, { loss: step, old: 1 });
  await vi.waitFor(() => expect(hasThree()).toBe(true));
  sink.goBack(2);
  for (const step of [3, 4, 5]) sink.scalars(step, { loss: 10 * step });
  await sink.end('finished', never);
  return notices;
}

const first = [
  [1, 1],
  [2, 2],
];
const again = [
  [3, 30],
  [4, 40],
  [5, 50],
];

describe('steps that did not count', () => {
  const wandbGoesBack = async (
    answer?: (request: Received) => Answer | undefined,
  ): Promise<{ server: WandbPeer; folder: string; notices: string[] }> => {
    const server = await startWandb(answer);
    const folder = await temporaryFolder();
    const hasThree = (): boolean => (histories(server)[0]?.length ?? 0) >= 3;
    return {
      server,
      folder,
      notices: await goBackAfterSending(wandbTo(server.url, folder), hasThree),
    };
  };
  const isRewind = ({ json }: Received): boolean => String(json?.query).includes('rewindRun');

  it('are taken back by W&B, where it can', async () => {
    const { server, notices } = await wandbGoesBack();
    expect(histories(server).map((rows) => curve(rows))).toEqual([[...first, ...again]]);
    const [files] = server.lines.values();
    expect(JSON.parse(files!.get('wandb-summary.json')![0]!)).toMatchObject({ _step: 5, loss: 50 });
    expect(files!.get('wandb-summary.json')![0]).not.toContain('old');
    expect(notices).toEqual([]);
  });

  it('are asked to be taken back until there is an answer', async () => {
    let count = 0;
    const { server } = await wandbGoesBack((request) =>
      isRewind(request) && ++count < 3 ? { status: 503 } : undefined,
    );
    expect(count).toBe(3);
    expect(histories(server).map((rows) => curve(rows))).toEqual([[...first, ...again]]);
  });

  it.each<[string, Answer]>([
    ['in words', { json: { errors: [{ message: 'rewind is not enabled' }] } }],
    ['by failing', { status: 500 }],
    ['as no such thing', { status: 400 }],
    ['with nothing', { json: { data: { rewindRun: null } } }],
  ])('are left behind at W&B in a run of their own, where it refuses %s', async (_, refusal) => {
    const { server, folder, notices } = await wandbGoesBack((request) =>
      isRewind(request) ? refusal : undefined,
    );
    const [before, after] = histories(server);
    expect(curve(before!).slice(0, 3)).toEqual([...first, [3, 3]]);
    expect(curve(after!)).toEqual([...first, ...again]);
    // The time since the run began, though that was before this one was there.
    expect(after!.slice(0, 2).map((row) => row['_runtime'])).toEqual([0, 1]);
    const ids = [...server.lines.keys()];
    expect(ids.map((id) => server.names.get(id))).toEqual(['digits-2 (went back to step 2)', 'digits-2']);
    expect(JSON.parse(await readFile(join(folder, 'wandb.json'), 'utf8'))).toEqual({ run: ids[1] });
    expect(notices).toEqual([
      'Weights & Biases cannot take back the steps after step 2, which did not count: the run goes on there as a new one of the ' +
        'same name, with all steps that did. The one before is kept, and says so.',
    ]);
  });

  it('are left behind at MLflow in a run of their own, which says so', async () => {
    const server = await startMlflow();
    const folder = await temporaryFolder();
    const hasThree = (): boolean => (server.runs.get('run0')?.metrics.length ?? 0) >= 6;
    const notices = await goBackAfterSending(mlflowTo(server.url, folder), hasThree);
    expect(pointsOf(server, 'run0').slice(0, 3)).toEqual([...first, [3, 3]]);
    expect(pointsOf(server, 'run1')).toEqual([...first, ...again]);
    const [before, after] = [server.runs.get('run0')!, server.runs.get('run1')!];
    expect([before.name, before.status]).toEqual(['digits-2 (went back to step 2)', 'KILLED']);
    expect(before.tags.get('rectiflow.went_back_to')).toBe('2');
    expect(before.tags.get('mlflow.note.content')).toContain('later steps of this run do not count');
    expect([after.name, after.status]).toEqual(['digits-2', 'FINISHED']);
    expect(JSON.parse(await readFile(join(folder, 'mlflow.json'), 'utf8'))).toEqual({ run: 'run1' });
    expect(notices).toEqual([expect.stringMatching(/^MLflow cannot take back the steps after step 2/)]);
  });

  it('are never sent, where they still wait', async () => {
    const server = await startMlflow();
    const run = mlflowTo(server.url, await temporaryFolder());
    const sink = new RemoteSink(run, { onNotice: () => {}, pauseMs: 1 });
    sink.start(start);
    for (const step of [1, 2, 3, 4]) sink.scalars(step, { loss: step });
    sink.goBack(3);
    sink.goBack(2);
    for (const step of [3, 4, 5]) sink.scalars(step, { loss: 10 * step });
    await sink.end('finished', never);
    expect([...server.runs.keys()]).toEqual(['run0']);
    expect(pointsOf(server, 'run0')).toEqual([...first, ...again]);
  });

  it('apart, a server gets what it lacks of those before, once', async () => {
    const server = await startMlflow();
    const folder = await temporaryFolder();
    const options = { onNotice: () => {}, logged, pauseMs: 1 };
    for (const [before, steps] of [
      [0, [1, 2]],
      [4, [5, 6]],
    ] as const) {
      const sink = new RemoteSink(mlflowTo(server.url, folder), options);
      sink.start({ ...start, step: before });
      for (const step of steps) sink.scalars(step, { loss: step });
      await sink.end('stopped', never);
    }
    expect(pointsOf(server, 'run0')).toEqual([1, 2, 3, 4, 5, 6].map((step) => [step, step]));
  });

  it('are told to a sink however many calls wait for it', async () => {
    const told: string[] = [];
    const notices: string[] = [];
    let isFree = (): void => {};
    const busy = new Promise<void>((resolve) => (isFree = resolve));
    const slow: MetricSink = {
      name: 'slow',
      start: () => busy,
      goBack: (step) => void told.push(`back ${step}`),
      scalars: (step) => void told.push(`step ${step}`),
    };
    const sinks = new Sinks([slow], start, { onNotice: (text) => notices.push(text) });
    sinks.scalars(1, {});
    sinks.goBack(0);
    for (let step = 1; step <= 1100; step++) sinks.scalars(step, {});
    isFree();
    await sinks.close('finished');
    expect(told.slice(0, 2)).toEqual(['back 0', expect.stringMatching(/^step 1\d\d$/)]);
    expect(notices).toEqual([expect.stringContaining('the oldest of its records are left out')]);
  });
});

const config = {
  ...tinyStripes,
  train: { ...tinyStripes.train, logEvery: 2, checkpointEvery: 4, keepCheckpoints: 99, sampleEvery: 3 },
} satisfies ConfigInput;

it('a sink is told that training went back, once, before the steps come again', async () => {
  const told: string[] = [];
  const own: MetricSink = {
    name: 'own',
    goBack: (step) => void told.push(`back ${step}`),
    scalars: (step) => void told.push(`step ${step}`),
  };
  const badSteps = { rollBackAfter: 2, window: 3, stopAfter: 1 };
  await train(
    { ...config, train: { ...config.train, badSteps, steps: 9, logEvery: 1 } },
    { runs: await temporaryFolder(), source: spoilt(stripes(), [5, 7]), backend, sinks: [own] },
  );
  const steps = (...all: number[]): string[] => all.map((step) => `step ${step}`);
  expect(told).toEqual([...steps(1, 2, 3, 4, 6), 'back 4', ...steps(5, 6, 7, 8, 9)]);
});

describe('a run that is resumed from an earlier checkpoint', () => {
  /** Twelve steps at both services; then the checkpoints after step 4 are lost. */
  async function lostRun() {
    const [wandb, mlflow] = [await startWandb(), await startMlflow()];
    vi.stubEnv('WANDB_API_KEY', key);
    vi.stubEnv('WANDB_BASE_URL', wandb.url);
    vi.stubEnv('MLFLOW_TRACKING_TOKEN', token);
    vi.stubEnv('MLFLOW_TRACKING_URI', mlflow.url);
    const sinks = { wandb: { project: 'digits' }, mlflow: { url: mlflow.url, experiment: 'digits' } };
    const told: string[] = [];
    const own: MetricSink = { name: 'own', goBack: (step) => void told.push(`back ${step}`) };
    const options = { source: stripes(), backend, sinks: [own] };
    const { run } = await train({ ...config, sinks }, { ...options, runs: await temporaryFolder() });
    for (const step of ['0000008', '0000012'])
      await rm(join(run, 'checkpoints', `step-${step}`), { recursive: true });
    return { run, wandb, mlflow, told, options };
  }
  const losses = async (run: string): Promise<unknown[]> => {
    const { records } = await readMetrics(join(run, 'metrics.jsonl'));
    return records.map(({ step, loss }) => [step, loss]);
  };

  it('and repeats its steps changes nothing at the services', async () => {
    const { run, wandb, mlflow, told, options } = await lostRun();
    const before = [histories(wandb), pointsOf(mlflow, 'run0', 'train/loss')];
    await resume(run, options);
    expect([histories(wandb), pointsOf(mlflow, 'run0', 'train/loss')]).toEqual(before);
    expect([...mlflow.runs.keys()]).toEqual(['run0']);
    expect(told).toEqual([]);
  });

  it('and goes another way has the steps of that way there, and all pictures', async () => {
    const { run, wandb, mlflow, told, options } = await lostRun();
    const file = join(run, 'config.json');
    const record = JSON.parse(await readFile(file, 'utf8'));
    record.config.optimizer.learningRate = 1e-4;
    await writeFile(file, JSON.stringify(record));
    const before = await losses(run);
    await resume(run, options);
    const now = await losses(run);
    expect(now.map((each) => (each as number[])[0])).toEqual([1, 2, 4, 6, 8, 10, 12]);
    expect(now.slice(0, 3)).toEqual(before.slice(0, 3));
    expect(now.slice(4)).not.toEqual(before.slice(4));
    expect(told).toEqual(['back 4']);
    const rows = histories(wandb).map((all) => all.filter((row) => 'train/loss' in row));
    expect(rows.map((some) => curve(some, 'train/loss'))).toEqual([now]);
    const shown = histories(wandb)[0]!.filter((row) => 'samples' in row);
    expect(shown.map((row) => row['_step'])).toEqual([3, 6, 9, 12]);
    expect(pointsOf(mlflow, 'run1', 'train/loss')).toEqual(now);
    const uploads = mlflow.received.filter(({ method }) => method === 'PUT');
    const pictures = uploads.map(({ path }) => path).filter((path) => path.includes('/run1/'));
    expect(pictures.map((path) => path.split('/').slice(-2).join('/')).toSorted()).toEqual(
      ['samples', 'samples_path'].flatMap((tag) =>
        ['03', '06', '09', '12'].map(
          (step) => `${tag}/step-00000${step}${tag === 'samples' ? '' : '-path'}.png`,
        ),
      ),
    );
  });

  it('to a server that lost it, or where a sink is new, gets there all that was logged', async () => {
    const { run, mlflow, options } = await lostRun();
    const { metrics } = mlflow.runs.get('run0')!;
    mlflow.runs.clear();
    await resume(run, options);
    const { metrics: all } = mlflow.runs.get('run0')!;
    const timeless = (some: typeof all) => some.map(({ key: tag, step }) => `${step} ${tag}`);
    expect(timeless(all)).toEqual(timeless(metrics));
    expect(pointsOf(mlflow, 'run0', 'train/loss')).toEqual(await losses(run));
  });
});
