import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { FlowSampler } from '../../src/flow/sample.ts';
import { DiT } from '../../src/models/dit.ts';
import { type VelocityModel, costOf, countParameters, labelCondition } from '../../src/models/model.ts';
import { addSizes, sizeCondition, sizeParameters } from '../../src/models/size-conditioning.ts';
import { affine, gather, mul, reshape, slice } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { declareParameters } from '../../src/nn/parameters.ts';
import { planTransforms } from '../../src/sources/images/transforms.ts';
import type { Transform } from '../../src/sources/settings.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { conditioningOf } from '../../src/train/conditioning.ts';
import { randomDraw } from '../../src/train/draw.ts';
import { relativeError } from '../support/conformance.ts';
import { tinyDiT, tinyTextDiT } from '../support/models.ts';
import { randomValues } from '../support/random.ts';

async function run(
  build: Parameters<typeof trace>[1],
  inputs: Record<string, HostArray>,
  weights: Readonly<Record<string, Float32Array>> = {},
): Promise<Record<string, HostArray>> {
  const backend = referenceBackend();
  const program = trace('test', build);
  const state = new Map(program.state.map((tensor) => [tensor.name!, backend.allocate(tensor)]));
  for (const [name, buffer] of state) await buffer.write(weights[name]!);
  const executable = await backend.compile(program, state);
  await executable.run(inputs);
  return executable.read([...program.outputs.keys()]);
}

describe('a model that is told sizes and crops', () => {
  it('has two layers more, whose names are the house’s, and is as before where it is told none', () => {
    const names = ({ parameters }: VelocityModel): string[] => parameters.map(({ name }) => name);
    for (const make of [tinyDiT, tinyTextDiT]) {
      const [plain, told] = [make(), make({ sizeConditioning: true })];
      expect(names(told).filter((name) => !names(plain).includes(name))).toEqual([
        'size_embedder.mlp.0.weight',
        'size_embedder.mlp.0.bias',
        'size_embedder.mlp.2.weight',
        'size_embedder.mlp.2.bias',
      ]);
      const more = 6 * 256 * 16 + 16 + 16 * 16 + 16;
      expect(countParameters(told) - countParameters(plain)).toBe(more);
      expect(costOf(told).forward - costOf(plain).forward).toBe(2 * (6 * 256 * 16 + 16 * 16));
      expect(names(make({ sizeConditioning: false }))).toEqual(names(plain));
      expect(told.conditions.map(({ name }) => name)).toEqual([
        ...plain.conditions.map(({ name }) => name),
        'size',
      ]);
      expect(told.conditions.at(-1)!.absent).toEqual([8, 12, 0, 0, 8, 12]);
    }
  });

  it('adds what two linear layers make of the sines and cosines of each number', async () => {
    const D = 3;
    const specs = sizeParameters(true, D);
    const weights = Object.fromEntries(
      specs.map(({ name, shape }, i) => [name, Float32Array.from(randomValues(sizeOf(shape), i))]),
    );
    const size = [480, 640, 12, 7.5, 256, 320];
    const { y } = await run(
      (graph) => {
        const params = declareParameters(graph, specs);
        const told = { size: graph.input('size', [1, 6]) };
        return { y: addSizes(params, graph.input('c', [1, D]), true, told) };
      },
      { size: Float32Array.from(size), c: Float32Array.of(1, 2, 3) },
      weights,
    );
    const waves = size.flatMap((value) => {
      const angles = Array.from({ length: 128 }, (_, k) => value * 10000 ** (-k / 128));
      return [...angles.map(Math.cos), ...angles.map(Math.sin)];
    });
    const linear = (layer: string, x: readonly number[], outputs: number): number[] =>
      Array.from({ length: outputs }, (_, row) =>
        x.reduce(
          (sum, value, column) => sum + value * weights[`${layer}.weight`]![row * x.length + column]!,
          weights[`${layer}.bias`]![row]!,
        ),
      );
    const hidden = linear('size_embedder.mlp.0', waves, D).map((value) => value / (1 + Math.exp(-value)));
    const wanted = linear('size_embedder.mlp.2', hidden, D).map((value, i) => value + i + 1);
    expect(relativeError(y!, Float32Array.from(wanted))).toBeLessThan(1e-4);
  });

  it('says so where it is not told them', () => {
    const model = new DiT({
      width: 8,
      depth: 1,
      heads: 1,
      patchSize: 4,
      channels: 1,
      imageSize: [8, 8],
      classes: 0,
      sizeConditioning: true,
    });
    expect(() =>
      trace('velocity', (graph) => ({
        v: model.velocity(
          declareParameters(graph, model.parameters),
          graph.input('x', [1, 1, 8, 8]),
          graph.input('t', [1]),
          {},
        ),
      })),
    ).toThrow(/DiT: size must be given: the model is told sizes and crops/);
  });

  it('is recorded where it is on, and absent where it is off', () => {
    const model = { width: 8, depth: 1, heads: 1, patchSize: 4, channels: 1, imageSize: 8, classes: 0 };
    const resolve = (more: object): object =>
      resolveConfig({ data: { source: 'custom' }, model: { ...model, ...more } }).model;
    expect(resolve({ sizeConditioning: true })).toMatchObject({ sizeConditioning: true });
    expect(JSON.stringify(resolve({}))).not.toContain('sizeConditioning');
    expect(() => resolve({ sizeConditioning: 'yes' })).toThrow(/sizeConditioning: wanted true or false/);
  });
});

describe('what is told of sizes', () => {
  it('is not dropped with the labels', async () => {
    const conditions = [...labelCondition(3), ...sizeCondition(true, [1, 4, 4])];
    const draw = randomDraw({ seed: 1, times: { kind: 'uniform' }, labelDropout: 1, conditions });
    const size = Float32Array.from(randomValues(12, 4));
    const { labels, told } = await run(
      (graph) => {
        const drawn = draw({
          x0: graph.input('x0', [2, 1, 4, 4]),
          conditions: { labels: graph.input('labels', [2], 'int32'), size: graph.input('size', [2, 6]) },
          step: graph.input('step', [], 'int32'),
          firstSample: () => graph.input('firstSample', [], 'int32'),
        });
        return {
          labels: affine(gather(graph.input('table', [4, 1]), drawn.conditions['labels']!), 1, 0),
          told: affine(drawn.conditions['size']!, 1, 0),
          x1: drawn.x1,
          t: drawn.t,
        };
      },
      {
        x0: new Float32Array(32),
        labels: Int32Array.of(0, 1),
        size,
        step: Int32Array.of(1),
        firstSample: Int32Array.of(0),
        table: Float32Array.of(0, 1, 2, 3),
      },
    );
    expect([...labels!]).toEqual([3, 3]);
    expect(told).toEqual(size);
  });

  /** Its velocity is the height that images had, as it is told, at every pixel. */
  function echo(): VelocityModel {
    const sampleShape = [1, 2, 2] as const;
    return {
      sampleShape,
      parameters: [],
      conditions: [...labelCondition(2), ...sizeCondition(true, sampleShape)],
      cost: { forward: 1, training: 3 },
      checkShape: () => {},
      velocity(_, x, __, { size }) {
        const heights = reshape(slice(size!, 1, 0, 1), [x.shape[0]!, 1, 1, 1]);
        return mul(affine(x, 0, 1), heights);
      },
    };
  }

  it('is told to both halves of guidance, and by default as that of the samples', async () => {
    const sampler = new FlowSampler(referenceBackend(), echo(), new Map());
    const ask = { count: 3, steps: 1, seed: 1 };
    const noise = await sampler.sample({ ...ask, conditions: { labels: [0, 1, 0] } });
    const moved = (samples: Float32Array, from: Float32Array): number[] =>
      [0, 4, 8].map((at) => Math.round(from[at]! - samples[at]!));
    // One step of Euler takes the velocity, the height that is told, off the noise.
    const start = noise.map((value) => value + 2);
    const size = [5, 7, 9].flatMap((height) => [height, 1, 0, 0, 1, 1]);
    const guided = await sampler.sample({ ...ask, guidance: 4, conditions: { labels: [0, 1, 0], size } });
    expect(moved(guided, start)).toEqual([5, 7, 9]);
    const other = await sampler.sample({ ...ask, shape: [1, 6, 2], conditions: { labels: [0, 1, 0] } });
    const same = await sampler.sample({
      ...ask,
      shape: [1, 6, 2],
      conditions: { labels: [0, 1, 0], size: [6, 6, 6].flatMap((side) => [side, 2, 0, 0, side, 2]) },
    });
    expect(other).toEqual(same);
    await expect(sampler.sample({ ...ask, guidance: 4, conditions: { size } })).rejects.toThrow(
      /guidance must be 1 without conditions/,
    );
  });

  it('of samples that nothing is known of is their own', () => {
    const told = conditioningOf({
      kind: 'dit',
      width: 8,
      depth: 1,
      heads: 1,
      patchSize: 4,
      channels: 1,
      imageSize: [8, 8],
      classes: 2,
      timeScale: 1000,
      reverseTime: false,
      sizeConditioning: true,
    });
    const placement = { original: [100, 80], crop: [3, 4] } as const;
    const annotations = [{ label: 1 }, { label: 0, placement }];
    expect(told.encode(annotations, [1, 8, 16])).toEqual({
      labels: Int32Array.of(1, 0),
      size: Float32Array.of(8, 16, 0, 0, 8, 16, 100, 80, 3, 4, 8, 16),
    });
    expect(told.placement).toBe(true);
  });
});

describe('where an image was cropped', () => {
  const planned = (transforms: readonly Transform[], seed = 0): ReturnType<typeof planTransforms> =>
    planTransforms({
      transforms,
      size: { height: 60, width: 100 },
      key: { seed, epoch: 0 },
      index: 0,
      origin: 'a.png',
      maxPixels: 1e6,
    });

  it('is told in pixels of the image as it was resized', () => {
    expect(
      planned([
        { kind: 'resize', size: 30 },
        { kind: 'center-crop', size: 30 },
      ]).crop,
    ).toEqual([0, 10]);
    expect(planned([{ kind: 'resize', size: [10, 10] }]).crop).toEqual([0, 0]);
    const shrunk = planned([
      { kind: 'center-crop', size: [40, 60] },
      { kind: 'resize', size: [20, 15] },
    ]);
    expect(shrunk.crop).toEqual([5, 5]);
    const twice = planned([
      { kind: 'center-crop', size: [50, 80] },
      { kind: 'center-crop', size: [40, 40] },
    ]);
    expect(twice.crop).toEqual([10, 30]);
  });

  it('is that of the mirrored image, where it is mirrored before or after', () => {
    const flip = { kind: 'horizontal-flip', probability: 1 } as const;
    for (let seed = 0; seed < 20; seed++) {
      const after = planned([{ kind: 'random-crop', size: [60, 70] }, flip], seed);
      const [step] = after.steps;
      if (step?.kind !== 'crop') throw new Error('no crop');
      expect(after.crop).toEqual([0, 30 - step.left]);
      const before = planned([flip, { kind: 'random-crop', size: [60, 70] }], seed);
      const [first] = before.steps;
      if (first?.kind !== 'crop') throw new Error('no crop');
      expect(before.crop).toEqual([0, 30 - first.left]);
    }
  });
});
