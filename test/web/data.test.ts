// What the page makes of answers and of what is typed.
import { describe, expect, it } from 'vitest';
import type { LogRecord, RunDetails, RunSummary, SeriesAnswer } from '../../src/page/contract.ts';
import { chartsOf, commonFields, inOrder, titleOf } from '../../web/watch/data/charts.ts';
import { fieldQuestions, joinAnswers, unknownFields } from '../../web/watch/data/fields.ts';
import { factsOf, upsert } from '../../web/watch/data/live-data.ts';
import { emptyForm, sampleRequest } from '../../web/watch/data/sample-form.ts';
import { keepSame, sortRuns } from '../../web/watch/data/sort-runs.ts';
import { steerSettings } from '../../web/watch/data/steer-form.ts';
import { compareLink, parseRoute, runLink } from '../../web/watch/route.ts';

describe('charts', () => {
  const field = (name: string, unit = '') => ({ name, label: name, unit });
  const groups = [
    { title: 'Memory', fields: [field('memory', 'bytes')] },
    { title: 'Loss', fields: [field('loss')] },
    { title: 'Loss by time', fields: [field('lossByTime.0'), field('lossByTime.1')] },
    { title: 'Other', fields: Array.from({ length: 10 }, (_, i) => field(`other${i}`)) },
    { title: 'Mixed', fields: [field('a'), field('wait', 's')] },
  ];

  it('are one for each unit, of at most eight lines, or of colours', () => {
    const told = inOrder(chartsOf(groups)).map((chart) => [chart.kind, titleOf(chart), chart.fields.length]);
    expect(told).toEqual([
      ['lines', 'Loss', 1],
      ['heat', 'Loss by time', 2],
      ['lines', 'Memory', 1],
      ['lines', 'Other, 1 of 2', 8],
      ['lines', 'Other, 2 of 2', 2],
      ['lines', 'Mixed', 1],
      ['lines', 'wait', 1],
    ]);
  });

  it('compare what two runs have at least', () => {
    const common = commonFields([
      groups,
      [
        { title: 'Loss', fields: [field('loss')] },
        { title: 'Mixed', fields: [field('a'), field('b')] },
      ],
    ]);
    expect(common.map(({ title }) => title)).toEqual(['Loss', 'Mixed: a']);
  });
});

describe('fields', () => {
  const groupOf = (names: readonly string[]) => [
    { title: '', fields: names.map((name) => ({ name, label: name, unit: '' })) },
  ];

  it('are asked for in questions that are short enough, those that can be asked for', () => {
    expect(fieldQuestions(groupOf(['loss', 'a b', 'x,y', 'z'.repeat(201)]))).toEqual(['loss,a%20b']);
    expect(fieldQuestions([])).toEqual(['loss']);
    const many = Array.from({ length: 401 }, (_, i) => `f${i}`);
    expect(fieldQuestions(groupOf(many)).map((text) => text.split(',').length)).toEqual([200, 200, 1]);
    const long = Array.from({ length: 100 }, (_, i) => `${i}`.padStart(100, 'x'));
    const questions = fieldQuestions(groupOf(long));
    expect(questions.join(',').split(',')).toEqual(long);
    expect(Math.max(...questions.map((text) => text.length))).toBeLessThan(4100);
  });

  it('of several answers are one', () => {
    const answer = (name: string, isApproximate: boolean) =>
      ({ fields: { [name]: {} }, notes: ['n'], isApproximate, records: 3 }) as unknown as SeriesAnswer;
    expect(joinAnswers([answer('a', false), answer('b', true)])).toEqual({
      fields: { a: {}, b: {} },
      notes: ['n'],
      isApproximate: true,
      records: 3,
    });
  });

  it('that come late are seen', () => {
    const record = { step: 9, epoch: 1, seconds: 2, loss: 1, heldOutLoss: 2, lossByTime: [1] };
    expect(unknownFields(groupOf(['loss', 'lossByTime.0']), record)).toEqual(['heldOutLoss']);
  });
});

describe('addresses', () => {
  it('lead to runs of any name and back', () => {
    for (const run of ['digits', 'a/b', '<b>', '100 %', '#?&', 'ü👩‍🚀']) {
      expect(parseRoute(runLink(run, 'samples'))).toEqual({ page: 'run', run, tab: 'samples' });
      expect(parseRoute(compareLink([run, 'x']))).toEqual({ page: 'compare', runs: [run, 'x'] });
    }
  });

  it('that lead nowhere are told', () => {
    expect(parseRoute('')).toEqual({ page: 'runs' });
    for (const hash of ['#/run', '#/run/%E0%A4%A', '#/run/x/nothing', '#/else'])
      expect(parseRoute(hash)).toEqual({ page: 'unknown' });
  });
});

describe('forms', () => {
  const choices = {
    classes: 10,
    classNames: null,
    takesPrompts: true,
    samplers: ['euler'],
    defaults: { sampler: 'euler', steps: 50, guidance: 2, labels: [], prompts: [] },
    averages: [],
    takesEmaLength: false,
    checkpoints: [],
  };

  it('ask for samples with what was filled in', () => {
    const form = {
      ...emptyForm,
      labels: '3, seven,',
      prompts: 'a cat\n\n a dog ',
      steps: '20',
      sampler: 'heun',
    };
    expect(sampleRequest(form, choices)).toEqual({
      labels: [3, 'seven'],
      prompts: ['a cat', 'a dog'],
      steps: 20,
      sampler: 'heun',
    });
    expect(sampleRequest(emptyForm, choices)).toEqual({});
    expect(sampleRequest({ ...emptyForm, seed: 'x' }, choices)).toBe('seed: this has to be a number, not x.');
  });

  it('ask a run for other settings', () => {
    const empty = {
      learningRate: '',
      sampleEvery: '',
      checkpointEvery: '',
      logEvery: '',
      guidance: '',
      sampler: '',
      sampleSteps: '',
    };
    expect(steerSettings({ ...empty, learningRate: '1e-4', guidance: '3', sampleSteps: '20' })).toEqual({
      learningRate: 1e-4,
      sample: { guidance: 3, steps: 20 },
    });
    expect(steerSettings(empty)).toContain('Nothing was changed');
    expect(steerSettings({ ...empty, logEvery: 'often' })).toContain('logEvery: this has to be a number');
  });
});

it('runs are sorted, what is not known last', () => {
  const run = (name: string, loss: RunSummary['loss']): RunSummary =>
    ({ name, loss, state: 'stopped' }) as RunSummary;
  const runs = [run('run-10', 2), run('run-9', null), run('run-1', 'NaN'), run('run-2', 1)];
  const names = (column: 'name' | 'loss', isDown: boolean): string[] =>
    sortRuns(runs, column, isDown).map(({ name }) => name);
  expect(names('name', false)).toEqual(['run-1', 'run-2', 'run-9', 'run-10']);
  expect(names('loss', true).slice(0, 2)).toEqual(['run-10', 'run-2']);
  expect(names('loss', false).slice(0, 2)).toEqual(['run-2', 'run-10']);
});

it('runs that say the same are the same objects', () => {
  const older = [
    { name: 'a', step: 1 },
    { name: 'b', step: 1 },
  ] as RunSummary[];
  const kept = keepSame(older, [
    { name: 'b', step: 2 },
    { name: 'a', step: 1 },
    { name: 'c', step: 0 },
  ] as RunSummary[]);
  expect(kept.map(({ name, step }) => [name, step])).toEqual([
    ['b', 2],
    ['a', 1],
    ['c', 0],
  ]);
  expect(kept[1]).toBe(older[0]);
});

describe('what a run tells', () => {
  const summary = {
    step: 10,
    steps: 100,
    state: 'training',
    loss: 3,
    epoch: 1,
    samplesPerSecond: 5,
    seconds: 20,
    secondsLeft: 180,
  } as RunSummary;

  it('is of the last record, and its pace says what is left', () => {
    const later: LogRecord[] = [
      { step: 11, loss: 2, seconds: 21 },
      { step: 20, loss: 'NaN', seconds: 30, epoch: 2, samplesPerSecond: 9 },
    ];
    expect(factsOf(summary, later)).toEqual({
      step: 20,
      loss: 'NaN',
      epoch: 2,
      samplesPerSecond: 9,
      seconds: 30,
      secondsLeft: 80,
    });
    expect(factsOf(summary, later.slice(0, 1))).toMatchObject({ step: 11, secondsLeft: 180 });
    expect(factsOf(summary, [])).toBe(summary);
    expect(factsOf({ ...summary, state: 'stopped', secondsLeft: null }, later).secondsLeft).toBeNull();
  });

  it('grows by events, without the same thing twice', () => {
    const details = {
      summary,
      notices: [],
      samples: [],
      checkpoints: [],
      steering: [],
    } as unknown as RunDetails;
    const sample = { step: 20, kind: 'grid', file: 'step-20.png' } as const;
    const once = upsert(details, { sample });
    const twice = upsert(upsert(once, { sample }), { sample: { ...sample, step: 10, file: 'step-10.png' } });
    expect(twice.samples.map(({ step }) => step)).toEqual([10, 20]);
    expect(upsert(details, { notice: { step: 1, text: 'a' } }).notices).toHaveLength(1);
  });
});
