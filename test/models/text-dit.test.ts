import { describe, expect, it } from 'vitest';
import type { Backend, Buffers } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { FlowSampler } from '../../src/flow/sample.ts';
import { velocityProgram } from '../support/velocity-program.ts';
import { TextDiT } from '../../src/models/text-dit.ts';
import type { TextConfig, TextDiTConfig } from '../../src/models/text-dit-config.ts';
import { adamwDefaults, adamwGroups } from '../../src/optim/adamw.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { givenDraw, randomDraw } from '../../src/train/draw.ts';
import { allocateState, initializeState } from '../../src/train/state.ts';
import { gradientProgram } from '../../src/train/loss.ts';
import { trainingStepProgram } from '../../src/train/step.ts';
import { float32Backends } from '../support/backends.ts';
import { initialValues, randomWeights, tinyDiT, tinyTextDiT } from '../support/models.ts';
import { randomValues } from '../support/random.ts';
import { outputsOf } from '../support/outputs.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';

const pixels = 2 * 8 * 12;
const image = (count: number, seed = 3): Float32Array =>
  Float32Array.from(randomValues(count * pixels, seed));

const embeddings: TextConfig = {
  kind: 'embeddings',
  length: 5,
  width: 6,
  empty: { embeddings: randomValues(12, 8), pooled: randomValues(6, 9) },
};

/** What a caption may be told as: 5 tokens of which `length` exist. */
interface Caption {
  readonly length: number;
  /** Of the padding. */
  readonly padding: number;
  readonly seed: number;
}

function tokensOf({ length, padding, seed }: Caption): Record<string, HostArray> {
  const tokens = Int32Array.from({ length: 5 }, (_, i) => (i < length ? (3 * i + seed) % 8 : padding));
  return { tokens, length: Int32Array.of(length) };
}

function embeddingsOf({ length, padding, seed }: Caption): Record<string, HostArray> {
  const values = randomValues(5 * 6, seed).map((value, i) => (i < length * 6 ? value : padding));
  return {
    embeddings: Float32Array.from(values),
    pooled: Float32Array.from(randomValues(6, seed + 50)),
    length: Int32Array.of(length),
  };
}

const kinds = [
  { kind: 'tokens', model: tinyTextDiT(), told: tokensOf },
  { kind: 'embeddings', model: tinyTextDiT({ text: embeddings }), told: embeddingsOf },
];

type Told = (t: number, conditions: Record<string, HostArray>, x?: Float32Array) => Promise<HostArray>;

async function velocityOf(backend: Backend, model: TextDiT, weights: Buffers): Promise<Told> {
  const executable = await backend.compile(velocityProgram(model, 1, false), weights);
  return async (t, conditions, x = image(1)) => {
    await executable.run({ x, t: Float32Array.of(t), ...conditions });
    return Float64Array.from((await executable.read(['velocity'])).velocity);
  };
}

describe.each(kinds)('TextDiT told $kind', ({ model, told }) => {
  it('predicts nothing at first', async () => {
    const backend = referenceBackend();
    const program = velocityProgram(model, 1, false);
    const buffers = allocateState(backend, program);
    await initializeState(backend, model, buffers, 5);
    const velocity = await (
      await velocityOf(backend, model, buffers)
    )(0.3, told({ length: 3, padding: 0, seed: 1 }));
    expect(velocity).toHaveLength(pixels);
    expect(velocity.every((value) => value === 0)).toBe(true);
  });

  it('depends on the time, on what the caption is and how long, and on where a pixel is', async () => {
    const backend = referenceBackend();
    const velocity = await velocityOf(backend, model, await randomWeights(backend, model));
    const caption = told({ length: 3, padding: 0, seed: 1 });
    const seen = [
      await velocity(0.3, caption),
      await velocity(0.4, caption),
      await velocity(0.3, told({ length: 3, padding: 0, seed: 2 })),
      await velocity(0.3, { ...caption, length: Int32Array.of(2) }),
      await velocity(0.3, caption, image(1).toReversed()),
    ];
    expect(new Set(seen.map((values) => values.join())).size).toBe(5);
  });

  for (const { label, create, skip } of float32Backends()) {
    const title = `does not depend on the padding, to the bit, on ${label}${skip ? ` (skipped: ${skip})` : ''}`;
    it.skipIf(skip !== undefined)(title, async () => {
      const backend = create();
      const velocity = await velocityOf(backend, model, await randomWeights(backend, model));
      for (const length of [1, 3, 4]) {
        const [one, other] = [told({ length, padding: 0, seed: 1 }), told({ length, padding: 7, seed: 1 })];
        expect(one).not.toEqual(other);
        expect(await velocity(0.3, one)).toEqual(await velocity(0.3, other));
      }
    });
  }

  it('tells captions apart after a few steps of training', async () => {
    const backend = referenceBackend();
    const draw = randomDraw({
      seed: 1,
      times: { kind: 'uniform' },
      labelDropout: 0.1,
      conditions: model.conditions,
    });
    const program = trainingStepProgram({
      task: velocityTask({ model, draw }),
      batch: 2,
      optimizers: adamwGroups(adamwDefaults),
    });
    const buffers = allocateState(backend, program);
    await initializeState(backend, model, buffers, 5);
    const executable = await backend.compile(program, buffers);
    const captions = [told({ length: 3, padding: 0, seed: 1 }), told({ length: 4, padding: 0, seed: 2 })];
    const both = Object.fromEntries(
      model.conditions.map(({ name, dtype }) => {
        const values = captions.flatMap((caption) => [...caption[name]!]);
        return [name, dtype === 'int32' ? Int32Array.from(values) : Float32Array.from(values)];
      }),
    );
    for (let step = 1; step <= 3; step++) {
      await executable.run({
        x0: image(2),
        ...both,
        step: Int32Array.of(step),
        firstSample: Int32Array.of(0),
        update: Int32Array.of(step),
        learningRate: Float32Array.of(1e-2),
        emaWeight: Float32Array.of(0.1),
      });
    }
    const velocity = await velocityOf(backend, model, buffers);
    expect(await velocity(0.3, captions[0]!)).not.toEqual(await velocity(0.3, captions[1]!));
  });

  it('has the gradient that finite differences show', async () => {
    const backend = referenceBackend({ float: 'float64' });
    const weights = await randomWeights(backend, model);
    const executable = await backend.compile(
      gradientProgram({ task: velocityTask({ model, draw: givenDraw }), batch: 1 }),
      weights,
    );
    const run = (): Promise<void> =>
      executable.run({
        x0: image(1, 4),
        x1: image(1, 5),
        t: Float32Array.of(0.4),
        step: Int32Array.of(1),
        ...told({ length: 3, padding: 0, seed: 1 }),
      });
    await run();
    const trainable = model.parameters;
    const before = new Map<string, HostArray>();
    const direction = new Map<string, Float64Array>();
    let along = 0;
    const gradients = await outputsOf(executable);
    for (const [i, { name, shape }] of trainable.entries()) {
      before.set(name, Float64Array.from(await weights.get(name)!.read()));
      direction.set(name, randomValues(sizeOf(shape), 100 + i));
      const gradient = gradients.get(`grad/${name}`)!;
      gradient.forEach((value, j) => (along += value * direction.get(name)![j]!));
    }
    const lossAt = async (step: number): Promise<number> => {
      for (const { name } of trainable) {
        const values = before.get(name)! as Float64Array;
        await weights.get(name)!.write(values.map((value, j) => value + step * direction.get(name)![j]!));
      }
      await run();
      return (await executable.read(['loss'])).loss[0]!;
    };
    const difference = ((await lossAt(1e-6)) - (await lossAt(-1e-6))) / 2e-6;
    expect(Math.abs(along)).toBeGreaterThan(1e-3);
    expect(along / difference).toBeCloseTo(1, 6);
  });

  it('is guided away from the empty caption', async () => {
    const backend = referenceBackend();
    const sampler = new FlowSampler(backend, model, await randomWeights(backend, model));
    const conditions = told({ length: 3, padding: 0, seed: 1 });
    const absent = Object.fromEntries(model.conditions.map((spec) => [spec.name, spec.absent]));
    const sample = async (caption: Record<string, ArrayLike<number>>, guidance: number): Promise<string> => {
      return (await sampler.sample({ count: 1, conditions: caption, steps: 1, guidance, seed: 1 })).join();
    };
    expect(await sample(conditions, 2)).not.toBe(await sample(conditions, 1));
    expect(await sample(conditions, 1)).not.toBe(await sample(absent, 1));
  });
});

describe('TextDiT', () => {
  it('says what no caption is: the empty one', () => {
    expect(tinyTextDiT().conditions).toEqual([
      { name: 'tokens', shape: [5], dtype: 'int32', absent: [8, 0, 0, 0, 0], limit: 9 },
      { name: 'length', shape: [], dtype: 'int32', absent: [1], limit: 6 },
    ]);
    const [tokens, pooled, length] = tinyTextDiT({ text: embeddings }).conditions;
    expect(tokens).toMatchObject({ name: 'embeddings', shape: [5, 6], dtype: 'float32' });
    expect(tokens!.absent).toEqual([...randomValues(12, 8), ...Array(18).fill(0)]);
    expect(pooled).toMatchObject({ name: 'pooled', shape: [6], absent: [...randomValues(6, 9)] });
    expect(length).toMatchObject({ name: 'length', shape: [], absent: [2] });
  });

  it('has the parameters of a DiT without classes, and those of the text', async () => {
    const names = (model: { parameters: readonly { name: string }[] }): string[] =>
      model.parameters.map(({ name }) => name);
    const all = names(tinyTextDiT());
    expect(new Set(all).size).toBe(all.length);
    expect(all.filter((name) => !name.includes('text'))).toEqual(names(tinyDiT({ classes: 0 })));
    const zero = /text_attn\.proj|adaLN_modulation|final_layer|bias$/;
    for (const spec of tinyTextDiT().parameters) {
      const isZero = (await initialValues(spec, 0)).every((value) => value === 0);
      expect([spec.name, isZero]).toEqual([spec.name, zero.test(spec.name)]);
    }
  });

  it('needs a caption', () => {
    const { conditions: _, ...model } = tinyTextDiT();
    const { cost, velocity } = TextDiT.prototype;
    const silent = { ...model, conditions: [], cost, velocity };
    expect(() => velocityProgram(silent, 1, false)).toThrow('TextDiT: tokens must be given');
  });

  const { text: tokens } = tinyTextDiT().config;
  const wrong: [string, Partial<TextDiTConfig>, string][] = [
    ['an image that the patch does not divide', { patchSize: 5 }, 'must be a multiple of the patch size 5'],
    [
      'no vocabulary',
      { text: { ...tokens, vocabulary: 0 } as TextConfig },
      'TextDiT: text.vocabulary must be a positive integer, got 0',
    ],
    [
      'heads that do not divide the width',
      { text: { ...tokens, heads: 5 } as TextConfig },
      'TextDiT: text.heads must be a divisor of the width 12, got 5',
    ],
    [
      'an empty caption of no tokens',
      { text: { ...tokens, empty: [] } as TextConfig },
      'TextDiT: text.empty must be 1 to 5 whole numbers from 0 to 8, got []',
    ],
    [
      'an empty caption of other tokens',
      { text: { ...tokens, empty: [9] } as TextConfig },
      'TextDiT: text.empty must be 1 to 5 whole numbers from 0 to 8, got [9]',
    ],
    [
      'embeddings of another width',
      { text: { ...embeddings, empty: { embeddings: [1, 2, 3], pooled: [] } } as TextConfig },
      'TextDiT: text.empty.embeddings must be of 1 to 5 tokens of 6 numbers, got 3 numbers',
    ],
    [
      'a pooled embedding of another width',
      { text: { ...embeddings, empty: { embeddings: randomValues(6, 1), pooled: [1] } } as TextConfig },
      'TextDiT: text.empty.pooled must be 6 numbers, got 1',
    ],
  ];

  it.each(wrong)('with %s is refused', (_, changes, message) => {
    expect(() => tinyTextDiT(changes)).toThrow(message);
  });
});
