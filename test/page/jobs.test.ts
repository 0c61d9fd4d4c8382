// What the page begins: samples, checks, plans and trainings, in processes of their own.
import { existsSync, statSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type {
  DataCheckResult,
  Job,
  JobList,
  JobStarted,
  PathResult,
  PlanResult,
  RunDetails,
  SampleResult,
  StartedList,
  StartedTraining,
} from '../../src/page/contract.ts';
import { pngText } from '../../src/formats/png-text.ts';
import { listRuns } from '../../src/page/run-list.ts';
import { Summaries } from '../../src/page/run-summary.ts';
import { rectiflow, temporaryFolder } from '../support/cli.ts';
import { type PageServer, failure, startPage, writeRun } from '../support/page.ts';

const tiny = `
name: tiny
data: { source: digits, split: test }
model: { width: 32, depth: 2, heads: 2, patchSize: 7 }
train: { steps: 4, batchSize: 8, logEvery: 1, sampleEvery: 0, checkpointEvery: 0 }
sample: { steps: 2, perClass: 2, labels: [0, 1] }
backend: { name: cpu, threads: 1 }
`;

let page: PageServer;
let runs: string;

beforeAll(async () => {
  runs = join(await temporaryFolder(), 'runs');
  page = await startPage({ runs });
  await page.post('/api/start', { text: tiny, settings: ['train.steps=3'] });
  await vi.waitUntil(async () => (await begun())[0]?.state === 'ended', 50_000);
});

async function begun(): Promise<readonly StartedTraining[]> {
  return (await page.get<StartedList>('/api/started')).started;
}

async function start(path: string, body: unknown): Promise<string> {
  const answer = await page.post(path, body);
  if (answer.status !== 202) throw new Error(await answer.text());
  return ((await answer.json()) as JobStarted).job;
}

/** All that is told of a job until it is over. */
async function follow(id: string): Promise<Job[]> {
  const answer = await page.fetch(`/api/jobs/${id}`, { headers: { accept: 'text/event-stream' } });
  const told = (await answer.text()).matchAll(/^data: (.*)$/gm);
  return Array.from(told, ([, data]) => (JSON.parse(data!) as { job: Job }).job);
}

describe('a training that the page begins', () => {
  it('has a folder among the runs, with what it printed', async () => {
    await expect.poll(async () => (await begun())[0]!.run).toBe('tiny');
    const [entry] = await begun();
    expect(entry).toMatchObject({ exitCode: 0, output: expect.stringContaining('Trained 3 steps') });
    expect(await readFile(join(runs, 'tiny', 'output.log'), 'utf8')).toContain('run      runs/tiny');
    const { summary } = await page.get<RunDetails>('/api/runs/tiny');
    expect(summary).toMatchObject({ state: 'finished', step: 3, steps: 3 });
    expect((await readdir(runs)).toSorted()).toEqual(['tiny']);
  });

  it.each([
    [
      'a setting',
      'data: { source: digits }\nmodel: { depth: -1 }',
      [],
      /^the config: model\.depth: wanted .*, found -1/,
    ],
    ['a line', 'data:\n  source: digits\n model: {', [], /^the config: is no YAML or JSON: .* line 3/],
    ['its settings', tiny, ['train.steps'], /^--set train\.steps: wanted a\.b=value/],
    [
      'a recipe',
      'recipe: digts',
      [],
      /^the config: recipe: there is no recipe "digts"\. Did you mean "digits"/,
    ],
  ])(
    'is refused where its config is wrong, which is named as it was typed: %s',
    async (_, text, settings, told) => {
      const { status, error } = await failure(await page.post('/api/start', { text, settings }));
      expect([status, error]).toEqual([400, expect.stringMatching(told)]);
      expect(await readdir(runs)).toEqual(['tiny']);
      expect(await begun()).toHaveLength(1);
    },
  );

  it('that finds out later that it cannot begin says why, and leaves nothing', async () => {
    const absent = join(runs, '../none');
    await page.post('/api/start', { text: `data: { source: folder, path: ${absent}, size: 32 }` });
    await expect
      .poll(async () => (await begun()).at(-1), { timeout: 50_000 })
      .toMatchObject({ state: 'ended', run: null, exitCode: 1, output: expect.stringContaining(absent) });
    expect((await begun()).at(-1)!.output).not.toContain('run.yaml');
    await expect.poll(() => readdir(runs), { timeout: 10_000 }).toEqual(['tiny']);
  });

  it('is refused where its folder would not be among the runs', async () => {
    const other = await startPage({ runs: join(await temporaryFolder(), 'other') });
    const { status, error } = await failure(await other.post('/api/start', { recipe: 'digits' }));
    expect([status, error]).toEqual([409, expect.stringContaining('a folder that is called runs')]);
  });
});

describe('the path of a sample', () => {
  it('is that of rectiflow sample --path, with all its pictures in one', async () => {
    const asked = { labels: [3], steps: 4, seed: 5, guidance: 1.5, weights: 'model', checkpoint: 3 };
    const job = await start('/api/runs/tiny/path', asked);
    const told = await follow(job);
    expect(told.at(-1)).toMatchObject({ kind: 'path', run: 'tiny', state: 'done', error: null });
    expect(told.at(-1)!.progress).toEqual({ what: 'sampling', done: 4, total: 4 });
    const result = told.at(-1)!.result as PathResult;
    expect(result).toMatchObject({ step: 3, title: '3', made: { seed: 5, steps: 4, guidance: 1.5 } });
    expect(result.pictures).toEqual({
      rows: ['state', 'velocity', 'foreseen'],
      width: 28,
      height: 28,
      columns: 4,
    });
    const picture = await page.fetch(`/api/jobs/${job}/picture`);
    expect(picture.headers.get('content-type')).toBe('image/png');
    const bytes = Buffer.from(await picture.arrayBuffer());
    expect(JSON.parse(pngText(bytes, 'rectiflow')!)).toEqual(result.made);
    expect(bytes.readUInt32BE(16)).toBe(4 * 28);
    const folder = join(runs, '..');
    const settings = '--steps 4 --seed 5 -g 1.5 --weights model --checkpoint 3 --out path'.split(' ');
    const { stdout } = await rectiflow(folder, ['sample', 'runs/tiny', '-l', '3', '--path', ...settings]);
    expect(stdout).toBe(
      'The path of a sample of step 3, in numbers: path/path.json\nLook at path/path.png\n',
    );
    const { times, speeds, angles, made } = JSON.parse(
      await readFile(join(folder, 'path', 'path.json'), 'utf8'),
    ) as Record<'times' | 'speeds' | 'angles', number[]> & { made: unknown };
    expect(made).toEqual(result.made);
    const beside = times.map((t, i) => ({ t, speed: speeds[i] ?? null, angle: angles[i] ?? null }));
    expect(result.times).toEqual(beside);
    expect(result.times.at(-1)).toEqual({ t: 0, speed: null, angle: null });
  });

  it('that cannot be made says why', async () => {
    const told = await follow(await start('/api/runs/tiny/path', { labels: [1, 2] }));
    expect(told.at(-1)).toMatchObject({
      state: 'failed',
      error: 'sample path: labels must be one: it is the path of one sample, got 1, 2',
    });
    expect((await failure(await page.post('/api/runs/tiny/path', { count: 2 }))).status).toBe(400);
    expect((await failure(await page.post('/api/runs/none/path', {}))).status).toBe(404);
  });
});

describe('samples', () => {
  it('are made as rectiflow sample makes them, with what they were made with in the picture', async () => {
    const asked = { labels: [3, '1'], count: 2, steps: 3, seed: 5, guidance: 1.5 };
    const job = await start('/api/runs/tiny/sample', asked);
    const told = await follow(job);
    expect(told.at(-1)).toMatchObject({ kind: 'sample', run: 'tiny', state: 'done', error: null });
    expect(told.at(-1)!.progress).toEqual({ what: 'sampling', done: 3, total: 3 });
    const result = told.at(-1)!.result as SampleResult;
    expect(result).toMatchObject({
      step: 3,
      count: 4,
      hasPicture: true,
      made: { seed: 5, steps: 3, guidance: 1.5 },
    });
    const picture = await page.fetch(`/api/jobs/${job}/picture`);
    expect(picture.headers.get('content-type')).toBe('image/png');
    const bytes = Buffer.from(await picture.arrayBuffer());
    expect(JSON.parse(pngText(bytes, 'rectiflow')!)).toEqual(result.made);
    const folder = join(runs, '..');
    await rectiflow(folder, 'sample runs/tiny -l 3,1 -c 2 --steps 3 --seed 5 -g 1.5 --out made'.split(' '));
    expect(await readFile(join(folder, 'made.png'))).toEqual(bytes);
  });

  it('that cannot be made say why, in the words of the API', async () => {
    const told = await follow(await start('/api/runs/tiny/sample', { labels: [12] }));
    expect(told.at(-1)).toMatchObject({ state: 'failed', error: expect.stringMatching(/^sample: .*12/) });
    const { id } = told.at(-1)!;
    expect(await failure(await page.fetch(`/api/jobs/${id}/picture`))).toMatchObject({ status: 404 });
    expect((await failure(await page.post('/api/runs/tiny/sample', { labels: [-1] }))).status).toBe(400);
    expect((await failure(await page.post('/api/runs/none/sample', {}))).status).toBe(404);
  });

  it('that wait or are made can be stopped', async () => {
    const [first, second] = [
      await start('/api/runs/tiny/sample', { count: 500, steps: 500 }),
      await start('/api/runs/tiny/sample', {}),
    ];
    for (const id of [second, first])
      expect((await page.fetch(`/api/jobs/${id}`, { method: 'DELETE' })).status).toBe(200);
    expect((await follow(second)).at(-1)!.state).toBe('stopped');
    expect((await follow(first)).at(-1)!.state).toBe('stopped');
    const { jobs } = await page.get<JobList>('/api/jobs');
    expect(jobs.filter(({ state }) => state === 'stopped')).toHaveLength(2);
  });

  it('are told to be offered as the run can make them', async () => {
    const { sampling } = await page.get<RunDetails>('/api/runs/tiny');
    expect(sampling).toMatchObject({
      classes: 10,
      takesPrompts: false,
      samplers: expect.arrayContaining(['euler', 'heun']),
      defaults: { steps: 2, labels: [0, 1] },
      checkpoints: [3],
    });
  });
});

describe('checks and plans', () => {
  it('answer as the command line prints them', async () => {
    const data = (await follow(await start('/api/data/check', { text: tiny }))).at(-1)!;
    expect([data.state, (data.result as DataCheckResult).report]).toMatchObject(['done', { count: 10_000 }]);
    const planned = (await follow(await start('/api/plan', { text: tiny, seconds: 0 }))).at(-1)!;
    expect([planned.state, planned.error]).toEqual(['done', null]);
    expect((planned.result as PlanResult).plan).toEqual(expect.any(Object));
    const wrong = (await follow(await start('/api/doctor', { text: 'model: {' }))).at(-1)!;
    expect(wrong).toMatchObject({
      state: 'failed',
      error: expect.stringMatching(/^the config: is no YAML or JSON/),
    });
  });
});

describe('the preview of a run', () => {
  it('is drawn once', async () => {
    const [first, second] = await Promise.all([0, 1].map(() => page.fetch('/api/runs/tiny/preview')));
    expect(first!.headers.get('content-type')).toBe('image/png');
    expect(Buffer.from(await first!.arrayBuffer())).toEqual(Buffer.from(await second!.arrayBuffer()));
  });

  it('of data that are not there says why', async () => {
    const folder = await temporaryFolder();
    await writeRun(folder, 'odd', { data: { source: 'folder', path: join(folder, 'none'), size: 32 } });
    const other = await startPage({ runs: folder });
    const { status, error } = await failure(await other.fetch('/api/runs/odd/preview'));
    expect([status, error]).toEqual([400, expect.stringContaining(join(folder, 'none'))]);
  });
});

describe('a server that ends', () => {
  it('leaves the trainings that it began', async () => {
    const folder = join(await temporaryFolder(), 'runs');
    const other = await startPage({ runs: folder });
    const settings = ['train.steps=100000', 'name=long'];
    const answer = await other.post('/api/start', { text: tiny, settings });
    const { pid } = (await answer.json()) as StartedTraining;
    try {
      const log = join(folder, 'long', 'metrics.jsonl');
      const size = (): number => (existsSync(log) ? statSync(log).size : 0);
      await expect.poll(size, { timeout: 30_000 }).toBeGreaterThan(0);
      await other.server.close();
      const before = size();
      await expect.poll(size, { timeout: 30_000 }).toBeGreaterThan(before);
      const { state } = (await listRuns(folder, new Summaries())).runs[0]!;
      expect(state).toBe('training');
    } finally {
      process.kill(pid, 'SIGINT');
    }
    const stateNow = async (): Promise<string> => (await listRuns(folder, new Summaries())).runs[0]!.state;
    await expect.poll(stateNow, { timeout: 30_000 }).toBe('stopped');
  });

  it('stops its jobs and takes its files with it', async () => {
    const other = await startPage({ runs });
    await other.post('/api/runs/tiny/sample', { count: 500, steps: 500 });
    await other.server.close();
    await expect(fetch(other.origin)).rejects.toThrow('fetch failed');
    expect(existsSync(join(runs, 'tiny', 'config.json'))).toBe(true);
  });
});

describe('a training', () => {
  it('is steered by whoever watches it: it pauses, learns at another rate, and stops', async () => {
    const steer = async (body: unknown): Promise<unknown> =>
      (await page.post('/api/runs/steered/steer', body)).json();
    const stateOf = async (): Promise<string> =>
      (await page.get<RunDetails>('/api/runs/steered')).summary.state;
    await page.post('/api/start', { text: tiny, settings: ['name=steered', 'train.steps=1000000'] });
    await vi.waitUntil(
      async () => (await page.fetch('/api/runs/steered')).ok && (await stateOf()) === 'training',
      {
        timeout: 50_000,
      },
    );
    expect(await steer({ kind: 'pause' })).toMatchObject({ kind: 'pause', outcome: 'applied' });
    expect(await stateOf()).toBe('paused');
    const set = { kind: 'set', settings: { learningRate: 1e-5 } };
    expect(await steer(set)).toMatchObject({ ...set, outcome: 'applied' });
    const wrong = { kind: 'set', settings: { learningRate: -1 } };
    expect(await steer(wrong)).toMatchObject({
      outcome: 'refused',
      sentence: expect.stringContaining('learningRate'),
    });
    expect(await failure(await page.post('/api/runs/steered/steer', { kind: 'fly' }))).toMatchObject({
      status: 400,
    });
    expect(await steer({ kind: 'goOn' })).toMatchObject({ kind: 'goOn', outcome: 'applied' });
    expect(await steer({ kind: 'stop' })).toMatchObject({ kind: 'stop', outcome: 'applied' });
    await vi.waitUntil(async () => (await stateOf()) === 'stopped', { timeout: 20_000 });
    const { steering } = await page.get<RunDetails>('/api/runs/steered');
    expect(steering.map(({ kind, outcome }) => `${kind} ${outcome}`)).toEqual([
      'pause applied',
      'set applied',
      'set refused',
      'goOn applied',
      'stop applied',
    ]);
    expect(await failure(await page.post('/api/runs/steered/steer', { kind: 'pause' }))).toMatchObject({
      error: expect.stringContaining('no process trains it'),
    });
  }, 90_000);
});
