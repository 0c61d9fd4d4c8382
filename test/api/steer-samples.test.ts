// Samples that a run makes while it trains, because somebody asked for them.
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { replay } from '../../src/api/replay.ts';
import { recordReproduction } from '../../src/api/repro.ts';
import { type SampleRunOptions, sample } from '../../src/api/sample.ts';
import { resume, train } from '../../src/api/train.ts';
import { type Backend, DeviceLostError, DeviceMemoryError } from '../../src/backends/backend.ts';
import { pngText } from '../../src/formats/png-text.ts';
import { writeSamples } from '../../src/runner/samples/write-samples.ts';
import { stepName } from '../../src/runs/checkpoint.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { readSteering } from '../../src/runs/steering-events.ts';
import type { AskedSamples, SteeringEvent } from '../../src/steering/event.ts';
import { temporaryFolder } from '../support/cli.ts';
import {
  type Steered,
  asking,
  backend,
  besideOthers,
  copyOf,
  steerable,
  steps,
  trainSteered,
} from '../support/steered-run.ts';
import { checkpointDigests, stripes } from '../support/tiny-run.ts';

const source = stripes();
const config = { ...steerable, ema: { decays: [0.5] } };

const ordering = (...all: readonly AskedSamples[]): ((run: string) => Promise<SteeringEvent[]>) =>
  asking(...all.map((samples) => ({ kind: 'sample', samples }) as const));

/** Of every step what does not depend on time. */
async function numbersOf(run: string): Promise<unknown> {
  const { records } = await readMetrics(join(run, 'metrics.jsonl'));
  return records.map(({ step, loss, gradNorm, learningRate }) => [step, loss, gradNorm, learningRate]);
}

/** Of every picture its bytes, by its place in the folder. */
async function picturesIn(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.png'));
  const files = names
    .toSorted()
    .map(async (name) => [name, (await readFile(join(folder, name))).toString('hex')]);
  return Object.fromEntries(await Promise.all(files)) as Record<string, string>;
}

describe('a run that is asked for samples while it trains', () => {
  const asked = [
    { labels: [2, 0], count: 3, weights: 'model', seed: 4, steps: 3 },
    { count: 2 },
    { labels: ['1'], count: 5, weights: 'ema:0.5', guidance: 2, sampler: 'heun' },
  ] as const satisfies AskedSamples[];
  let plain: string;
  let steered: Steered;

  beforeAll(async () => {
    ({ run: plain } = await train(config, { runs: await temporaryFolder(), source, backend }));
    steered = await trainSteered(config, ordering(...asked));
  });

  it('is the same run, to the bit', async () => {
    expect(steered.events.map(({ outcome }) => outcome)).toEqual(['applied', 'applied', 'applied']);
    for (const step of [steered.events.at(-1)!.step + 1, steps])
      expect(await checkpointDigests(steered.run, step)).toEqual(await checkpointDigests(plain, step));
    expect(await numbersOf(steered.run)).toEqual(await numbersOf(plain));
    const stateOf = async (run: string): Promise<unknown> => {
      const text = await readFile(join(run, 'checkpoints', stepName(steps), 'state.json'), 'utf8');
      const saved = JSON.parse(text) as { readonly state: object };
      return { ...saved.state, seconds: 0 };
    };
    expect(await stateOf(steered.run)).toEqual(await stateOf(plain));
  });

  it('makes what `rectiflow sample` makes of the checkpoint of that step, to the bit', async () => {
    for (const [i, options] of asked.entries()) {
      const { step, made } = steered.events[i]!;
      const again = await sample(steered.run, {
        ...(options as SampleRunOptions),
        checkpoint: step,
        backend,
      });
      const folder = join(await temporaryFolder(), 'samples');
      const { count } = await writeSamples(folder, again);
      expect(made!.count).toBe(count);
      expect(await picturesIn(join(steered.run, made!.folder))).toEqual(await picturesIn(folder));
    }
  });

  it('keeps them beside its own grids, with what they were made with', async () => {
    const [first] = steered.events as [SteeringEvent];
    expect(first.made).toEqual({
      count: 6,
      folder: `samples/asked/${stepName(first.step)}`,
      view: `samples/asked/${stepName(first.step)}.png`,
    });
    expect(await readdir(join(steered.run, 'samples'))).toEqual([
      `asked`,
      `${stepName(steps)}-path.png`,
      `${stepName(steps)}.png`,
    ]);
    const text = pngText(await readFile(join(steered.run, first.made!.view)), 'rectiflow');
    const of = { run: 'stripes', step: first.step, weights: 'model', seed: 4 };
    expect(JSON.parse(text!)).toMatchObject({ ...of, sampler: 'euler', steps: 3, guidance: 2 });
    expect(new Set(steered.events.map(({ made }) => made!.view)).size).toBe(3);
  });

  it('tells that they were asked for, and repeats nothing of it', async () => {
    expect(await readSteering(steered.run)).toEqual(steered.events);
    expect(steered.events[0]!.samples).toMatchObject({
      rows: [{ label: 2 }, { label: 0 }],
      counts: [3, 3],
      steps: 3,
    });
    const { step, made } = steered.events[0]!;
    expect(steered.notices).toContain(`steered: 6 samples of step ${step} are made: ${made!.view}.`);
    const copy = await copyOf(steered.run);
    for (let later = step; later <= steps; later++)
      await rm(join(copy, 'checkpoints', stepName(later)), { recursive: true });
    await rm(join(copy, 'samples'), { recursive: true });
    await resume(copy, { source, backend });
    expect(await checkpointDigests(copy, steps)).toEqual(await checkpointDigests(plain, steps));
    expect(await readdir(join(copy, 'samples'))).not.toContain('asked');
    const { steps: done } = await replay(copy, step, step + 3, { source, backend });
    expect(done.map(({ isEqual }) => isEqual)).toEqual([true, true, true, true]);
    expect((await recordReproduction(copy, { source })).steering).toEqual([]);
  });

  it('leaves no request behind', async () => {
    expect(await readdir(join(steered.run, 'steering'))).toEqual([]);
  });
});

describe.concurrent('samples that a run cannot make', besideOthers, () => {
  it('are refused to who asks, and training goes on', async () => {
    const wrong = [
      [{ labels: [7] }, 'sample: labels must be classes of the model, from 0 to 2, got 7'],
      [{ labels: ['cat'] }, 'cat'],
      [{ steps: 0 }, 'steering: steps: wanted a whole number from 1, found 0'],
      [{ sampler: 'magic' }, 'steering: sampler: wanted one of euler, '],
      [{ sampler: 'ddim' }, 'samples: sample.sampler: wanted one of euler, '],
      [{ prompts: ['a cat'] }, 'sample: prompts must be left out: this model takes no captions'],
      [{ weights: 'ema:0.9' }, 'samples: weights: wanted one of ema, model, ema:0.5, found "ema:0.9"'],
      [{ count: 1e12 }, 'samples take'],
      [{ perClass: 2 }, 'steering: perClass: no such setting.'],
    ] as const;
    const { run, events, result } = await trainSteered(
      config,
      ordering(...wrong.map(([samples]) => samples as unknown as AskedSamples)),
    );
    expect(events.map(({ kind, outcome }) => `${kind} ${outcome}`)).toEqual(
      wrong.map(() => 'sample refused'),
    );
    wrong.forEach(([, sentence], i) => expect(events[i]!.sentence).toContain(sentence));
    expect(result.finished).toBe(true);
    expect(await readdir(join(run, 'samples'))).not.toContain('asked');
  });

  it('because memory is short are told, and training goes on', async () => {
    let isShort = true;
    const short: Backend = {
      ...backend,
      async compile(program, state) {
        if (!isShort || !/velocity/i.test(program.name)) return backend.compile(program, state);
        isShort = false;
        throw new RangeError('Array buffer allocation failed');
      },
    };
    const all = ordering({ count: 1 }, { count: 1 });
    const { run, events, notices } = await trainSteered(config, all, { backend: short });
    expect(events).toMatchObject([
      { outcome: 'refused', sentence: 'samples were not made: Array buffer allocation failed' },
      { outcome: 'applied', made: { count: 3 } },
    ]);
    expect(notices).toContain('steered: samples were not made: Array buffer allocation failed');
    expect(await readSteering(run)).toEqual(events);
  });

  it('because the memory of a device is used up end training on it, which goes on to the same bits from its last checkpoint', async () => {
    const used: Backend = {
      ...backend,
      async compile(program, state) {
        if (!/velocity/i.test(program.name)) return backend.compile(program, state);
        throw new DeviceMemoryError('webgpu: Some GPU has not so much memory (out of memory)');
      },
    };
    let run = '';
    let asker: Promise<SteeringEvent[]> | undefined;
    const asks = (of: string): Promise<SteeringEvent[]> => {
      run = of;
      return (asker = ordering({ count: 1 })(of));
    };
    const error = await trainSteered(config, asks, { backend: used }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DeviceLostError);
    expect((error as DeviceLostError).message).toContain('Some GPU has not so much memory (out of memory)');
    expect((error as DeviceLostError).step).toBeGreaterThan(0);
    const [answer] = await asker!;
    expect(answer).toMatchObject({ outcome: 'refused' });
    expect(answer!.sentence).toMatch(/^samples were not made: .* has not so much memory/);
    await resume(run, { source, backend });
    const { run: plain } = await train(config, { runs: await temporaryFolder(), source, backend });
    expect(await checkpointDigests(run, steps)).toEqual(await checkpointDigests(plain, steps));
  });

  it('because they cannot be written are told, and training goes on', async () => {
    const { events, result } = await trainSteered(config, async (run) => {
      await writeFile(join(run, 'samples', 'asked'), 'a file where a folder belongs');
      return ordering({ count: 1 })(run);
    });
    expect(events[0]!.sentence).toMatch(/^samples were not made: .*asked.*: /);
    expect(result.finished).toBe(true);
    expect(basename(result.run)).toBe('stripes');
  });
});
