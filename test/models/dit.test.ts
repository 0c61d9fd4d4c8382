import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { velocityProgram } from '../support/velocity-program.ts';
import { DiT } from '../../src/models/dit.ts';
import type { DiTConfig } from '../../src/models/dit-config.ts';
import { countParameters } from '../../src/models/model.ts';
import { presets } from '../../src/models/presets.ts';
import { positionTable } from '../../src/nn/position-table.ts';
import { declareParameters } from '../../src/nn/parameters.ts';
import { trace } from '../../src/program/index.ts';
import { allocateState, initializeState } from '../../src/train/state.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { loadGolden, numbers } from '../support/golden.ts';
import { initialValues, randomWeights, tinyDiT } from '../support/models.ts';
import { randomValues } from '../support/random.ts';

describe('DiT parameters', () => {
  const imagenet = { patchSize: 8, channels: 3, imageSize: [256, 256], classes: 1000 } as const;

  it.each([
    ['Ti', 8_424_000],
    ['S', 32_994_240],
    ['B', 130_574_016],
    ['L', 458_184_896],
    ['XL', 675_221_952],
  ] as const)('%s has as many as the release', (size, count) => {
    expect(countParameters(new DiT({ ...presets[size], ...imagenet }))).toBe(count);
  });

  it('have the names and shapes of the public state dict, in its order', async () => {
    const { model, weights } = await loadGolden();
    const declared = [...model.tables, ...model.parameters].map(({ name, shape }) => [name, shape] as const);
    expect(new Map(declared)).toEqual(new Map([...weights].map(([name, { shape }]) => [name, shape])));
    const names = declared.map(([name]) => name.replace(/\.(weight|bias)$/, ''));
    expect([...new Set(names)].slice(0, 10)).toEqual([
      'pos_embed',
      'x_embedder.proj',
      't_embedder.mlp.0',
      't_embedder.mlp.2',
      'y_embedder.embedding_table',
      'blocks.0.attn.qkv',
      'blocks.0.attn.proj',
      'blocks.0.mlp.fc1',
      'blocks.0.mlp.fc2',
      'blocks.0.adaLN_modulation.1',
    ]);
  });

  it('stand beside the positional table of the public release, which is no parameter', async () => {
    const { model, weights } = await loadGolden();
    const [table] = model.tables;
    expect(model.parameters.map(({ name }) => name)).not.toContain('pos_embed');
    const wanted = numbers(weights, 'pos_embed');
    table!.values().forEach((value, i) => expect(value).toBeCloseTo(wanted[i]!, 6));
  });

  it.each([
    [8, 12],
    [12, 8],
    [4, 16],
  ])('say nothing of places, which are those of images of %i x %i', (height, width) => {
    const { nodes } = velocityProgram(tinyDiT(), 1, false, undefined, [2, height, width]);
    const tables = nodes.filter(({ values }) => values !== undefined && values.length > 1);
    expect(tables.map(({ values }) => values)).toEqual([
      Float64Array.from(positionTable(height / 4, width / 4, 16)),
    ]);
  });

  it('start at zero where the release has zeros, and only there', async () => {
    const zero = /adaLN_modulation|final_layer|bias$/;
    for (const spec of tinyDiT().parameters) {
      const isZero = (await initialValues(spec, 0)).every((value) => value === 0);
      expect(isZero, `${spec.name} starts at zero`).toBe(zero.test(spec.name));
    }
  });

  it('of a model without classes lack the label table', () => {
    const names = tinyDiT({ classes: 0 }).parameters.map(({ name }) => name);
    expect(names.some((name) => name.startsWith('y_embedder'))).toBe(false);
  });
});

describe('DiT velocity', () => {
  it.each([0, 3])('of a new model with %d classes is zero', async (classes) => {
    const backend = referenceBackend();
    const model = tinyDiT({ classes });
    const program = velocityProgram(model, 2, false);
    const buffers = allocateState(backend, program);
    await initializeState(backend, model, buffers, 5);
    const executable = await backend.compile(program, buffers);
    await executable.run({
      x: Float32Array.from(randomValues(2 * 2 * 8 * 12, 3)),
      t: Float32Array.of(0.3, 0.3),
      ...(classes > 0 && { labels: Int32Array.of(0, 3) }),
    });
    expect((await executable.read(['velocity'])).velocity.every((value) => value === 0)).toBe(true);
  });

  it('depends on the time, on the label and on where a pixel is', async () => {
    const backend = referenceBackend();
    const model = tinyDiT();
    const executable = await backend.compile(
      velocityProgram(model, 1, false),
      await randomWeights(backend, model),
    );
    const x = Float32Array.from(randomValues(2 * 8 * 12, 3));
    const velocity = async (t: number, label: number, image = x): Promise<string> => {
      await executable.run({ x: image, t: Float32Array.of(t), labels: Int32Array.of(label) });
      return (await executable.read(['velocity'])).velocity.join();
    };
    const seen = [await velocity(0.3, 0), await velocity(0.4, 0), await velocity(0.3, 1)];
    seen.push(await velocity(0.3, 3), await velocity(0.3, 0, x.toReversed()));
    expect(new Set(seen).size).toBe(5);
  });

  it('with reversed time is that of the time counted from the other end', async () => {
    const backend = referenceBackend();
    const plain = tinyDiT({ timeScale: 1 });
    const weights = await randomWeights(backend, plain);
    const velocity = async (model: DiT, t: number): Promise<HostArray> => {
      const executable = await backend.compile(velocityProgram(model, 1, false), weights);
      const x = Float32Array.from(randomValues(2 * 8 * 12, 3));
      await executable.run({ x, t: Float32Array.of(t), labels: Int32Array.of(1) });
      return (await executable.read(['velocity'])).velocity;
    };
    const reversed = tinyDiT({ timeScale: 1, reverseTime: true });
    expect(await velocity(reversed, 0.25)).toEqual(await velocity(plain, 0.75));
    expect(await velocity(reversed, 0.25)).not.toEqual(await velocity(plain, 0.25));
  });

  it('with rotary positions, refuses heads whose features are no pairs of each axis', () => {
    expect(() => tinyDiT({ width: 12, rotary: true })).toThrow(
      'DiT: width / heads must be a multiple of 4 where positions are rotary, got 6',
    );
    expect(tinyDiT({ width: 12 }).config.rotary).toBeUndefined();
  });

  it('with rotary positions, turns by the places that positions have', () => {
    const stretched = { rotary: true, positions: 'stretched', positionGrid: [1, 2] } as const;
    const sines = tinyDiT(stretched)
      .tables.find(({ name }) => name === 'feat_rope.freqs_sin')!
      .values();
    // Row 1 of 2 lies at 1 / 2, column 2 of 3 at 4 / 3.
    expect(sines.slice(40)).toEqual(
      Float32Array.from([0.5, 0.5, 0.005, 0.005, 4 / 3, 4 / 3, 4 / 300, 4 / 300], Math.sin),
    );
  });

  it('normalises queries and keys as torch does by default', () => {
    const { nodes } = velocityProgram(tinyDiT({ qkNorm: 'layer' }), 1, false);
    const ofHeads = nodes.filter(({ outputs: [y] }) => y!.shape.at(-1) === 8 && y!.shape.length === 4);
    expect(new Set(ofHeads.flatMap(({ attributes }) => attributes['epsilon'] ?? []))).toEqual(
      new Set([1e-5]),
    );
  });

  it('of blocks without shifts still shifts before the last layer', () => {
    const names = tinyDiT({ shifts: false }).parameters.map(({ name, shape }) => [name, shape[0]]);
    expect(names).toContainEqual(['blocks.1.adaLN_modulation.1.weight', 4 * 16]);
    expect(names).toContainEqual(['final_layer.adaLN_modulation.1.weight', 2 * 16]);
  });

  it('needs labels where there are classes', () => {
    const model = tinyDiT();
    const build = (): unknown =>
      trace('velocity', (graph) => {
        const params = declareParameters(graph, model.parameters);
        return { v: model.velocity(params, graph.input('x', [1, 2, 8, 12]), graph.input('t', [1]), {}) };
      });
    expect(build).toThrow('DiT: labels must be given: there are 3 classes');
  });
});

describe('DiT config', () => {
  const wrong: [string, Partial<DiTConfig>, string][] = [
    [
      'an image that the patch does not divide',
      { imageSize: [28, 28], patchSize: 8 },
      'DiT: the image size must be a multiple of the patch size 8 on both sides, got 28 x 28. ' +
        'Resize or pad the images, or choose a patch size of 1, 2, 4, 7, 14, 28',
    ],
    ['a patch that divides one side', { imageSize: [8, 12], patchSize: 8 }, 'got 8 x 12'],
    [
      'heads that do not divide the width',
      { heads: 3 },
      'DiT: heads must be a divisor of the width 16, got 3',
    ],
    ['a width of no quarters', { width: 18, heads: 2 }, 'DiT: width must be a multiple of 4'],
    ['no depth', { depth: 0 }, 'DiT: depth must be a positive integer, got 0'],
    ['half a channel', { channels: 0.5 }, 'DiT: channels must be a positive integer, got 0.5'],
    ['negative classes', { classes: -1 }, 'DiT: classes must be an integer from 0 (no labels) up, got -1'],
    ['no time', { timeScale: 0 }, 'DiT: timeScale must be a positive number, got 0'],
  ];

  it.each(wrong)('with %s is refused', (_, changes, message) => {
    expect(() => tinyDiT(changes)).toThrow(message);
  });

  it('has a time scale of 1000 unless told otherwise', () => {
    expect(tinyDiT().config.timeScale).toBe(1000);
    expect(tinyDiT({ timeScale: 1 }).config.timeScale).toBe(1);
  });
});
