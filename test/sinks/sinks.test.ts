import { setImmediate, setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { MetricSink, SinkStart } from '../../src/sinks/metric-sink.ts';
import { Sinks } from '../../src/sinks/sinks.ts';
import { fileError } from '../../src/tensor/errors.ts';
import { printable } from '../../src/tensor/printable.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const run: SinkStart = { name: 'digits-2', config: { seed: 1 }, step: 30 };
const backend = referenceBackend();

/** A sink that writes down what it is told, each call slowly. */
function recorder(told: unknown[], name = 'recorder'): MetricSink {
  const tell = async (...what: unknown[]): Promise<void> => {
    await setTimeout(1);
    told.push(what);
  };
  return {
    name,
    start: (start) => tell('start', start),
    scalars: (step, values) => tell('scalars', step, values),
    histograms: (step, values) => tell('histograms', step, Object.keys(values)),
    image: (step, tag, path) => tell('image', step, tag, path),
    notice: (step, text) => tell('notice', step, text),
    sync: () => tell('sync'),
    end: (outcome) => tell('end', outcome),
  };
}

describe('the sinks of a run', () => {
  it('are told everything in order, without being waited for; sync and close wait', async () => {
    const told: unknown[] = [];
    const notices: string[] = [];
    const sinks = new Sinks([recorder(told)], run, { onNotice: (text) => notices.push(text) });
    sinks.scalars(31, { 'train/loss': 0.5 });
    sinks.histograms(31, { 'grad_norm/blocks': Float32Array.of(1, 2), none: [NaN] });
    sinks.image(31, 'samples', 'grid.png');
    expect(told).toEqual([]);
    await sinks.sync();
    expect(told.at(-1)).toEqual(['sync']);
    sinks.notice(31, 'the disk is \u001b[31mnearly\nfull');
    await sinks.close('stopped');
    expect(told).toEqual([
      ['start', run],
      ['scalars', 31, { 'train/loss': 0.5 }],
      ['histograms', 31, ['grad_norm/blocks']],
      ['image', 31, 'samples', 'grid.png'],
      ['sync'],
      ['notice', 31, printable('the disk is \u001b[31mnearly\nfull')],
      ['end', 'stopped'],
    ]);
    expect(notices).toEqual([]);
  });

  it.each([
    [
      'throws',
      (): void => {
        throw new Error('out of paper.');
      },
    ],
    ['rejects', (): Promise<void> => Promise.reject(new Error('out of paper'))],
  ])('one that %s is told once and asked no more; the others go on', async (_, scalars) => {
    const told: unknown[] = [];
    const notices: string[] = [];
    let ends = 0;
    const printer: MetricSink = { name: 'printer', scalars, end: () => void ends++ };
    const sinks = new Sinks([printer, recorder(told)], run, { onNotice: (text) => notices.push(text) });
    for (const step of [31, 32]) sinks.scalars(step, { loss: step });
    await sinks.close('finished');
    expect(ends).toBe(0);
    expect(told.map((call) => (call as string[])[0])).toEqual(['start', 'scalars', 'scalars', 'end']);
    expect(notices).toEqual([
      'printer gets no more metrics: out of paper. Training goes on without it, and metrics.jsonl has the same numbers.',
    ]);
  });

  it('one that hangs holds up neither a checkpoint nor the end, and its memory is bounded', async () => {
    const notices: string[] = [];
    let signal: AbortSignal | undefined;
    const hanging: MetricSink = { name: 'pipe', scalars: () => new Promise<void>(() => {}), sync: () => {} };
    const endless: MetricSink = {
      name: 'phone',
      end: (_, given) => {
        signal = given;
        return new Promise<void>(() => {});
      },
    };
    const sinks = new Sinks([hanging, endless], run, {
      onNotice: (text) => notices.push(text),
      patienceMs: 20,
    });
    for (let step = 0; step < 1100; step++) {
      sinks.scalars(step, { loss: step });
      await setImmediate();
    }
    await sinks.sync();
    await sinks.close('finished');
    expect(signal!.aborted).toBe(true);
    expect(notices).toEqual([
      'pipe is slower than the run, so the oldest of its records are left out.',
      expect.stringMatching(/^pipe gets no more metrics: it does not flush\./),
      expect.stringMatching(/^phone gets no more metrics: it did not take its last records in time\./),
    ]);
  });

  it('see no password of an address among the settings', async () => {
    const told: unknown[] = [];
    const config = { data: { path: 'https://me:hunter2@host/shards', seed: 1 } };
    const sinks = new Sinks([recorder(told)], { ...run, config }, { onNotice: () => {} });
    await sinks.close('finished');
    expect(told[0]).toEqual([
      'start',
      { ...run, config: { data: { path: 'https://host/shards', seed: 1 } } },
    ]);
  });
});

describe("a program's own sink", () => {
  it('is told of a run and its resumption, and how they end', async () => {
    const runs = await temporaryFolder();
    const source = stripes();
    const stop = new AbortController();
    const told: unknown[][] = [];
    const sinks = [recorder(told)];
    const config = { ...tinyStripes, train: { ...tinyStripes.train, sampleEvery: 8 } };
    const onStep = ({ step }: { step: number }): void => {
      if (step === 8) stop.abort();
    };
    const { run: path } = await train(config, { runs, source, backend, sinks, signal: stop.signal, onStep });
    await resume(path, { source, backend, sinks });
    expect(told.map(([what, first]) => (typeof first === 'object' ? what : `${what} ${first}`))).toEqual([
      'start',
      'scalars 1',
      'histograms 1',
      'scalars 4',
      'histograms 4',
      'scalars 8',
      'histograms 8',
      'sync undefined',
      'end stopped',
      'start',
      'scalars 12',
      'histograms 12',
      'sync undefined',
      'image 12',
      'image 12',
      'end finished',
    ]);
    expect(told[0]![1]).toMatchObject({ name: 'stripes', step: 0, config: { name: 'stripes', seed: 0 } });
    expect(told[9]![1]).toMatchObject({ name: 'stripes', step: 8 });
  });

  it('is told that a run cannot go on, because its data cannot be read any more', async () => {
    const runs = await temporaryFolder();
    const stop = new AbortController();
    const onStep = (): void => stop.abort();
    const config = { ...tinyStripes, train: { ...tinyStripes.train, batchSize: 15, logEvery: 1 } };
    const { run: path } = await train(config, {
      runs,
      source: stripes(),
      backend,
      signal: stop.signal,
      onStep,
    });
    const told: unknown[][] = [];
    const lost = {
      ...stripes(),
      read: () => Promise.reject(fileError('a.png', 'no such file or folder', 'Fetch it again')),
    };
    await expect(resume(path, { source: lost, backend, sinks: [recorder(told)] })).rejects.toThrow(
      'a.png: no such file or folder',
    );
    expect(told.map(([what]) => what)).toEqual(['start', 'end']);
    expect(told.at(-1)).toEqual(['end', 'failed']);
  });

  it('is told of a failure', async () => {
    const runs = await temporaryFolder();
    const told: unknown[][] = [];
    const config = { ...tinyStripes, optimizer: { learningRate: 1e30, warmupSteps: 0, clipNorm: 0 } };
    const diverged = train(config, { runs, source: stripes(), backend, sinks: [recorder(told)] });
    await expect(diverged).rejects.toThrow('training diverged');
    expect(told.at(-1)).toEqual(['end', 'failed']);
  });

  it('that breaks does not end the run', async () => {
    const runs = await temporaryFolder();
    const notices: string[] = [];
    const broken: MetricSink = { name: 'mine', start: () => Promise.reject(new Error('no route to host')) };
    const { finished } = await train(tinyStripes, {
      runs,
      source: stripes(),
      backend,
      sinks: [broken],
      onNotice: (text) => notices.push(text),
    });
    expect(finished).toBe(true);
    expect(notices).toEqual([expect.stringContaining('mine gets no more metrics: no route to host.')]);
  });
});
