// What the list and one run tell.
import { mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type {
  Comparison,
  MachineAnswer,
  RecipeList,
  RunDetails,
  RunList,
  RunSummary,
} from '../../src/page/contract.ts';
import { listRuns } from '../../src/page/run-list.ts';
import { Summaries } from '../../src/page/run-summary.ts';
import { lockRun } from '../../src/runs/lock.ts';
import { temporaryFolder } from '../support/cli.ts';
import { failure, logLine, startPage, writeRun } from '../support/page.ts';

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==',
  'base64',
);

async function listOf(runs: string): Promise<Record<string, RunSummary>> {
  const { runs: all } = await listRuns(runs, new Summaries());
  return Object.fromEntries(all.map((run) => [run.name, run]));
}

/** A lock of a process that has ended. */
async function staleLock(run: string): Promise<void> {
  const record = {
    pid: 999_999_999,
    host: hostname(),
    pidSpace: null,
    started: null,
    owner: 'a',
    since: '',
    renewed: '',
  };
  const path = join(run, 'lock-999999999-00ff.json');
  await writeFile(path, JSON.stringify(record));
  await utimes(path, new Date(2020, 1), new Date(2020, 1));
}

describe('the list of runs', () => {
  it('is empty where there is no folder yet', async () => {
    const page = await startPage({ runs: join(await temporaryFolder(), 'none') });
    expect(await page.get<RunList>('/api/runs')).toMatchObject({ runs: [], notes: [] });
  });

  it('tells what each is doing', async () => {
    const runs = await temporaryFolder();
    await writeRun(runs, 'stopped', { log: [logLine(1), logLine(4)] });
    await writeRun(runs, 'finished', { log: [logLine(1), logLine(10)] });
    await writeRun(runs, 'new');
    await staleLock(await writeRun(runs, 'failed', { log: [logLine(2)] }));
    const training = await writeRun(runs, 'training', { log: [logLine(2), logLine(4)] });
    const paused = await writeRun(runs, 'paused', { log: [logLine(2)] });
    await mkdir(join(paused, 'steering'));
    await writeFile(join(paused, 'steering', 'paused'), '');
    const locks = [await lockRun(training), await lockRun(paused)];
    try {
      const list = await listOf(runs);
      const states = Object.fromEntries(Object.entries(list).map(([name, { state }]) => [name, state]));
      expect(states).toEqual({
        stopped: 'stopped',
        finished: 'finished',
        new: 'stopped',
        failed: 'failed',
        training: 'training',
        paused: 'paused',
      });
      expect(list['training']).toMatchObject({
        step: 4,
        steps: 10,
        epoch: 0.04,
        loss: 0.25,
        // 0.1 seconds a step, and six to go.
        secondsLeft: expect.closeTo(0.6, 6),
        kind: 'dit',
        data: 'digits',
        sentence: expect.stringMatching(/^Is trained by process \d+ on .+: step 4 of 10\.$/),
      });
      expect(list['stopped']).toMatchObject({
        secondsLeft: null,
        sentence: 'No process trains it, after step 4 of 10. It can be resumed.',
      });
      expect(list['new']).toMatchObject({ step: 0, loss: null, updated: null });
    } finally {
      for (const lock of locks) await lock.release();
    }
    expect((await listOf(runs))['training']!.state).toBe('stopped');
  });

  it('tells names as they are, whatever is in them', async () => {
    const runs = await temporaryFolder();
    const names = [
      'two\nlines',
      '<img src=x onerror=alert(1)>',
      'right \u202e left',
      'a b',
      '漢字',
      '-p',
      '%2e%2e',
      'a\\b',
      '"',
    ];
    for (const name of names) await writeRun(runs, name, { log: [logLine(3)] });
    const page = await startPage({ runs });
    const list = await page.get<RunList>('/api/runs');
    expect(list.runs.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
    for (const name of names) {
      const { summary } = await page.get<RunDetails>(`/api/runs/${encodeURIComponent(name)}`);
      expect([summary.name, summary.step]).toEqual([name, 3]);
    }
    // In sentences they are escaped, as everywhere.
    const { error } = await failure(await page.fetch(`/api/runs/${encodeURIComponent('none\u202e\n')}`));
    expect(error).toBe('There is no run "none\\u202e\\n": it was deleted or renamed.');
  });

  it('leaves out links that lead elsewhere, and says so', async () => {
    const [runs, elsewhere] = [await temporaryFolder(), await temporaryFolder()];
    await writeRun(runs, 'one');
    await writeRun(elsewhere, 'two');
    await symlink(join(elsewhere, 'two'), join(runs, 'two'));
    await symlink(join(runs, 'nothing'), join(runs, 'three'));
    const list = await listRuns(runs, new Summaries());
    expect(list.runs.map(({ name }) => name)).toEqual(['one']);
    expect(list.notes).toEqual([
      `Symbolic links that lead out of the folder of runs are not followed: ${join(runs, 'two')}.`,
    ]);
  });

  it('of 1,000 runs reads again only what has changed', async () => {
    const runs = await temporaryFolder();
    const created = (i: number): string => new Date(2026, 0, 1, 0, 0, i).toISOString();
    for (let i = 0; i < 1000; i++)
      await writeRun(runs, `run-${i}`, { created: created(i), log: [logLine(1), logLine(2)] });
    const summaries = new Summaries();
    const first = await listRuns(runs, summaries);
    expect([first.runs.length, first.runs[0]!.name, first.runs[999]!.name]).toEqual([
      1000,
      'run-999',
      'run-0',
    ]);
    expect(summaries.reads).toEqual({ configs: 1000, logs: 1000, pictures: 1000 });
    await writeFile(join(runs, 'run-7', 'metrics.jsonl'), `${logLine(5)}\n`);
    await rm(join(runs, 'run-8'), { recursive: true });
    const second = await listRuns(runs, summaries);
    expect(second.runs).toHaveLength(999);
    expect(summaries.reads).toEqual({ configs: 1000, logs: 1001, pictures: 1000 });
    expect(second.runs.find(({ name }) => name === 'run-7')!.step).toBe(5);
  });
});

describe('one run', () => {
  it('tells all that is in its folder', async () => {
    const runs = await temporaryFolder();
    const run = await writeRun(runs, 'one', {
      log: [
        logLine(1),
        logLine(2, {
          lossByTime: [null, 2],
          gradNormByBlock: { 'blocks.0': 1 },
          size: '8x8',
          heldOutLoss: 'NaN',
        }),
      ],
    });
    await writeFile(
      join(run, 'notices.log'),
      'step 1: <b>first</b>\nnot a notice\nstep 2: second\nstep 3: cut',
    );
    await writeFile(
      join(run, 'bad-steps.jsonl'),
      '{"step":2,"loss":"NaN","gradNorm":"Infinity","epoch":0.5,"finding":null}\n',
    );
    await writeFile(
      join(run, 'events.jsonl'),
      '{"id":"a","step":2,"time":"t","kind":"save","outcome":"applied"}\nbroken\n',
    );
    await mkdir(join(run, 'checkpoints', 'step-0000002'), { recursive: true });
    await mkdir(join(run, 'checkpoints', '.saving-step-0000003'), { recursive: true });
    await writeFile(join(run, 'checkpoints', 'step-0000002', 'model.safetensors'), Buffer.alloc(100));
    for (const name of ['step-0000001.png', 'step-0000002.png', 'step-0000002-path.png', 'other.png'])
      await writeFile(join(run, 'samples', name), png);
    const page = await startPage({ runs });
    const details = await page.get<RunDetails>('/api/runs/one');
    expect(details).toMatchObject({
      summary: { name: 'one', step: 2, picture: 'step-0000002.png' },
      version: '1.0.0',
      config: { train: { steps: 10 } },
      notices: [
        { step: 1, text: '<b>first</b>' },
        { step: 2, text: 'second' },
      ],
      badSteps: [{ step: 2, loss: 'NaN', gradNorm: 'Infinity', epoch: 0.5, finding: null }],
      checkpoints: [{ step: 2, bytes: 100 }],
      samples: [
        { step: 1, kind: 'grid', file: 'step-0000001.png' },
        { step: 2, kind: 'grid', file: 'step-0000002.png' },
        { step: 2, kind: 'path', file: 'step-0000002-path.png' },
      ],
      steering: [{ id: 'a', step: 2, kind: 'save', outcome: 'applied' }],
      damage: ['notices.log: 1 line cannot be read.', 'events.jsonl: 1 line cannot be read.'],
    });
    expect(details.groups).toEqual([
      { title: 'Loss', fields: [{ name: 'loss', label: 'loss', unit: '' }] },
      { title: 'Held-out loss', fields: [{ name: 'heldOutLoss', label: 'held out', unit: '' }] },
      {
        title: 'Loss by time',
        fields: [
          { name: 'lossByTime.0', label: '0 to 1/4 (data)', unit: '' },
          { name: 'lossByTime.1', label: '1/4 to 1/2', unit: '' },
        ],
      },
      {
        title: 'Gradient norm by block',
        fields: [{ name: 'gradNormByBlock.blocks.0', label: 'blocks.0', unit: '' }],
      },
    ]);
    const picture = await page.fetch('/api/runs/one/samples/step-0000002.png');
    expect(picture.headers.get('content-type')).toBe('image/png');
    expect(Buffer.from(await picture.arrayBuffer())).toEqual(png);
    await writeFile(join(run, 'samples', 'step-0000003.png'), png.subarray(0, 40));
    expect(await failure(await page.fetch('/api/runs/one/samples/step-0000003.png'))).toEqual({
      status: 503,
      error: 'The picture is being written. Ask again in a moment.',
    });
  });

  it('that is deleted while it is shown is said to be gone', async () => {
    const runs = await temporaryFolder();
    const run = await writeRun(runs, 'one', { log: [logLine(1)] });
    const page = await startPage({ runs });
    await page.get('/api/runs/one');
    await rm(run, { recursive: true });
    for (const rest of ['', '/series?fields=loss', '/live', '/samples/step-0000001.png', '/preview'])
      expect(await failure(await page.fetch(`/api/runs/one${rest}`))).toEqual({
        status: 404,
        error: 'There is no run "one": it was deleted or renamed.',
      });
    expect((await page.get<RunList>('/api/runs')).runs).toEqual([]);
  });

  it('is compared with others by the settings that differ', async () => {
    const runs = await temporaryFolder();
    await writeRun(runs, 'a', { steps: 10 });
    await writeRun(runs, 'b', { steps: 20 });
    const page = await startPage({ runs });
    expect(await page.get<Comparison>('/api/compare?runs=a&runs=b&runs=c')).toEqual({
      runs: ['a', 'b', 'c'],
      settings: expect.arrayContaining([{ name: 'train.steps', values: [10, 20, null] }]),
      damage: ['There is no run "c": it was deleted or renamed.'],
    });
    const { settings } = await page.get<Comparison>('/api/compare?runs=a&runs=b');
    expect(settings).toEqual([{ name: 'train.steps', values: [10, 20] }]);
  });
});

describe('the machine and the recipes', () => {
  it('are told', async () => {
    const runs = await temporaryFolder();
    const page = await startPage({ runs });
    expect(await page.get<MachineAnswer>('/api/machine')).toMatchObject({
      host: hostname(),
      runs,
      free: expect.any(Number),
    });
    const { recipes } = await page.get<RecipeList>('/api/recipes');
    expect(recipes.find(({ name }) => name === 'digits')).toMatchObject({
      config: { data: { source: 'digits' } },
      expects: null,
    });
  });
});
