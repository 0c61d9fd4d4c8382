// Training whose GPU is lost: it is opened again, and the run ends to the bit as if nothing had happened.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openNodeGpu } from '../../../src/backends/node-gpu.ts';
import type { ConfigInput } from '../../../src/config/config.ts';
import { type TrainOptions, type TrainResult, resume, train } from '../../../src/index.ts';
import { readMetrics } from '../../../src/runs/metrics-log.ts';
import { readSteering } from '../../../src/runs/steering-events.ts';
import type { SteeringEvent } from '../../../src/steering/event.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { testGpu } from '../../support/gpu.ts';
import { plainModel } from '../../support/plain-model.ts';
import { asking, unhurried } from '../../support/steered-run.ts';
import { checkpointDigests, stripes, tinyStripes } from '../../support/tiny-run.ts';

const { skip } = testGpu;
const steps = 12;
const config = {
  ...tinyStripes,
  model: { kind: 'custom' },
  train: { ...tinyStripes.train, steps, precision: 'fp32', logEvery: 1, checkpointEvery: 4 },
  backend: { name: 'webgpu' },
} as const satisfies ConfigInput;

/** Those that are open, the last of them the one that trains. */
let devices: GPUDevice[] = [];
/** Called at the next that are read. */
let onRead: (() => void) | undefined;

function loseDevice(): void {
  devices.at(-1)!.destroy();
}

interface Ended {
  readonly run: string;
  readonly result: TrainResult;
  readonly notices: readonly string[];
  /** As they were logged, those that came again too. */
  readonly seen: readonly number[];
}

/** A run in a folder of its own. @param onStep is told of each step that is logged */
async function trained(
  onStep: (step: number) => void,
  { changes = {}, ...options }: TrainOptions & { readonly changes?: ConfigInput['train'] & object } = {},
): Promise<Ended> {
  const notices: string[] = [];
  const seen: number[] = [];
  const result = await train(
    { ...config, train: { ...config.train, ...changes } },
    {
      source: stripes(),
      model: plainModel,
      runs: await temporaryFolder(),
      onNotice: (text) => void notices.push(text),
      onStep({ step }) {
        seen.push(step);
        onStep(step);
      },
      ...options,
    },
  );
  return { run: result.run, result, notices: notices.filter((text) => !/is a program/.test(text)), seen };
}

/** Of every step what does not depend on time. */
async function numbersOf(run: string): Promise<unknown> {
  const { records, damaged } = await readMetrics(join(run, 'metrics.jsonl'));
  return [damaged, records.map(({ step, loss, gradNorm, epoch }) => [step, loss, gradNorm, epoch])];
}

/** Loses the device at so many-th read after a step was logged, once. */
function onceAtRead(at: number, read: number): (step: number) => void {
  let left = read;
  return (step) => {
    if (step !== at || left === 0) return;
    onRead = () => {
      if (left > 0 && --left === 0) loseDevice();
    };
  };
}

/** Loses the device when a step is logged, once. */
function once(at: number): (step: number) => void {
  let isDone = false;
  return (step) => {
    if (step !== at || isDone) return;
    isDone = true;
    loseDevice();
  };
}

describe.skipIf(skip)(`a GPU that is lost${skip ? ` (skipped: ${skip})` : ''}`, { timeout: 240_000 }, () => {
  let whole: Ended;

  beforeAll(async () => {
    const { source, release } = await openNodeGpu();
    const adapter = (await source.requestAdapter()) as GPUAdapter;
    const prototype = Object.getPrototypeOf(adapter) as GPUAdapter;
    const { requestDevice } = prototype;
    prototype.requestDevice = async function hold(...asked): Promise<GPUDevice> {
      const device = await requestDevice.apply(this, asked);
      devices.push(device);
      return device;
    };
    const device = await adapter.requestDevice();
    const buffer = device.createBuffer({ size: 4, usage: 1 });
    const ofBuffers = Object.getPrototypeOf(buffer) as GPUBuffer;
    const { mapAsync } = ofBuffers;
    ofBuffers.mapAsync = function map(...asked): Promise<undefined> {
      onRead?.();
      return mapAsync.apply(this, asked);
    };
    device.destroy();
    release();
    whole = await trained(() => {});
  }, 240_000);
  afterEach(() => {
    devices = [];
    onRead = undefined;
  });

  const lostAfter = (step: number, from: string): unknown =>
    expect.stringMatching(
      new RegExp(
        `^after step ${step}: webgpu: the GPU was lost \\(.*\\)\\. It is opened again, and training goes ${from}\\.$`,
      ),
    );

  it('is opened again, and the run goes on from its last checkpoint, to the bit', async () => {
    // Its checkpoint may be half written then.
    const { run, result, notices, seen } = await trained(once(5));
    expect(notices).toEqual([lostAfter(5, 'on from the checkpoint of step 4')]);
    expect(seen).toEqual([1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(result).toMatchObject({ finished: true, step: steps });
    expect(await checkpointDigests(run, steps)).toEqual(await checkpointDigests(whole.run, steps));
    expect(await numbersOf(run)).toEqual(await numbersOf(whole.run));
    expect(await readFile(join(run, 'notices.log'), 'utf8')).toMatch(/^step 5: after step 5: webgpu: /m);
  });

  it('before a checkpoint was saved: the run begins again', async () => {
    const { run, notices } = await trained(once(2));
    expect(notices).toEqual([lostAfter(2, 'again at the first step, as no checkpoint was saved yet')]);
    expect(await checkpointDigests(run, steps)).toEqual(await checkpointDigests(whole.run, steps));
    expect(await numbersOf(run)).toEqual(await numbersOf(whole.run));
  });

  it('while the state is copied for a checkpoint: that one is not saved', async () => {
    const { run, notices } = await trained(onceAtRead(8, 5));
    expect(notices).toEqual([lostAfter(8, 'on from the checkpoint of step 4')]);
    expect(await checkpointDigests(run, steps)).toEqual(await checkpointDigests(whole.run, steps));
    expect(await numbersOf(run)).toEqual(await numbersOf(whole.run));
  });

  it('while samples are drawn: they are drawn again', async () => {
    const changes = { sampleEvery: 6 };
    const wanted = await trained(() => {}, { changes });
    const { run, notices } = await trained(onceAtRead(6, 1), { changes });
    expect(notices).toEqual([lostAfter(6, 'on from the checkpoint of step 4')]);
    expect(await checkpointDigests(run, steps)).toEqual(await checkpointDigests(whole.run, steps));
    const picture = (of: string): Promise<Buffer> => readFile(join(of, 'samples/step-0000006.png'));
    expect(await picture(run)).toEqual(await picture(wanted.run));
  });

  it('after the last checkpoint: what is left to do is done', async () => {
    const lose = onceAtRead(steps, 1);
    const { run, result, notices } = await trained(() => {}, { onCheckpoint: (step) => lose(step) });
    expect(notices).toEqual([lostAfter(steps, `on from the checkpoint of step ${steps}`)]);
    expect(result.samples).toMatch(/step-0000012\.png$/);
    expect(await checkpointDigests(run, steps)).toEqual(await checkpointDigests(whole.run, steps));
  });

  it('also of a run that was resumed, and twice, with a checkpoint in between', async () => {
    const stop = new AbortController();
    const { run } = await trained((step) => step === 5 && stop.abort(), { signal: stop.signal });
    const notices: string[] = [];
    const losses = [once(6), once(10)];
    await resume(run, {
      source: stripes(),
      model: plainModel,
      onNotice: (text) => void notices.push(text),
      onStep: ({ step }) => losses.forEach((lose) => lose(step)),
    });
    expect(notices.filter((text) => /lost/.test(text))).toEqual([
      lostAfter(6, 'on from the checkpoint of step 5'),
      lostAfter(10, 'on from the checkpoint of step 8'),
    ]);
    expect(await checkpointDigests(run, steps)).toEqual(await checkpointDigests(whole.run, steps));
  });

  it('three times without a checkpoint in between: that ends the run, and it can be resumed', async () => {
    const runs = await temporaryFolder();
    const failing = trained((step) => step === 6 && loseDevice(), { runs });
    await expect(failing).rejects.toThrow(
      /^after step 6: webgpu: the GPU was lost .* resume the run from there. It was lost 3 times without a checkpoint in between: set/,
    );
    const { step } = await resume(join(runs, config.name), { source: stripes(), model: plainModel });
    expect(step).toBe(steps);
    expect(await numbersOf(join(runs, config.name))).toEqual(await numbersOf(whole.run));
  });

  describe('of a run that is steered', () => {
    /** Long enough to be asked while it trains; saved where that is asked. */
    const changes = { steps: 60, checkpointEvery: 0 };

    /** A run that `steer` asks for something after step 4. */
    async function steered(
      steer: (run: string) => Promise<SteeringEvent[]>,
      onStep: (step: number) => void = () => {},
    ): Promise<Ended & { readonly events: readonly SteeringEvent[] }> {
      const { source, hurry } = unhurried();
      let run = '';
      let events: Promise<SteeringEvent[]> | undefined;
      const see = (step: number): void => {
        if (step >= 4) events ??= steer(run).finally(hurry);
        events?.catch(() => {});
        onStep(step);
      };
      const onStart = (start: { readonly run: string }): void => void ({ run } = start);
      return { ...(await trained(see, { changes, source, onStart })), events: await events! };
    }

    it('what was changed since the last checkpoint is changed again at the same step', async () => {
      const all = asking(
        { kind: 'save' },
        { kind: 'set', settings: { learningRate: 1e-2 } },
        { kind: 'sample', samples: { count: 2, weights: 'model' } },
        { kind: 'pause' },
        { kind: 'goOn' },
      );
      let isAsked = false;
      let isLost = false;
      const { run, events, notices, seen, result } = await steered(
        async (at) => all(at).finally(() => void (isAsked = true)),
        () => {
          if (!isAsked || isLost) return;
          isLost = true;
          loseDevice();
        },
      );
      expect(events.map(({ kind, outcome }) => `${kind} ${outcome}`)).toEqual(
        ['save', 'set', 'sample', 'pause', 'goOn'].map((kind) => `${kind} applied`),
      );
      const [saved, set] = events as [SteeringEvent, SteeringEvent];
      const lost = notices.find((text) => /the GPU was lost/.test(text))!;
      expect(lost).toContain(`goes on from the checkpoint of step ${saved.step}.`);
      // Steps with the new rate were done twice.
      expect(seen.filter((step) => step === set.step + 1)).toHaveLength(2);
      expect(result.finished).toBe(true);
      expect(await readSteering(run)).toEqual(events);
      const repeated = { changes, steering: events.filter(({ kind }) => kind === 'set') };
      const again = await trained(() => {}, repeated);
      expect(await checkpointDigests(run, 60)).toEqual(await checkpointDigests(again.run, 60));
      expect(await numbersOf(run)).toEqual(await numbersOf(again.run));
    });

    it('while samples are made that were asked for: who asked is told, and the run stays the same', async () => {
      const { run, events, notices, result } = await steered(async (at) => {
        const before = await asking({ kind: 'save' }, { kind: 'pause' })(at);
        onRead = () => {
          onRead = undefined;
          loseDevice();
        };
        return [...before, ...(await asking({ kind: 'sample', samples: { count: 2 } })(at))];
      });
      expect(events.at(-1)).toMatchObject({
        outcome: 'refused',
        sentence: expect.stringMatching(/^samples were not made: webgpu: the GPU was lost/),
      });
      expect(
        notices.filter((text) => /the GPU was lost .* goes on from the checkpoint/.test(text)),
      ).toHaveLength(1);
      expect(result.finished).toBe(true);
      const plain = await trained(() => {}, { changes });
      expect(await checkpointDigests(run, 60)).toEqual(await checkpointDigests(plain.run, 60));
      expect(await numbersOf(run)).toEqual(await numbersOf(plain.run));
    });
  });

  it('is not opened again where the caller holds it', async () => {
    const { nodeWebGpuBackend } = await import('../../../src/backends/node-gpu.ts');
    const backend = await nodeWebGpuBackend();
    await expect(trained(once(6), { backend })).rejects.toThrow(
      /^after step 6: .*What it computed since the last checkpoint is gone: resume the run from there$/,
    );
    await backend.dispose();
  });
});
