import type { Backend, Buffer } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { DiT } from '../../src/models/dit.ts';
import type { DiTConfig } from '../../src/models/dit-config.ts';
import { TextDiT } from '../../src/models/text-dit.ts';
import type { TextDiTConfig } from '../../src/models/text-dit-config.ts';
import type { Module } from '../../src/nn/module.ts';
import { type ParameterSpec, initialValue } from '../../src/nn/parameters.ts';
import { trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { randomValues } from './random.ts';

/** A model that the reference backend runs in milliseconds: 6 tokens of a rectangular image. */
export function tinyDiT(changes: Partial<DiTConfig> = {}): DiT {
  const sizes = { width: 16, depth: 2, heads: 2, patchSize: 4, channels: 2, classes: 3 };
  return new DiT({ ...sizes, imageSize: [8, 12], ...changes });
}

/** The same told captions of up to 5 tokens out of 9; token 8 ends a caption. */
export function tinyTextDiT(changes: Partial<TextDiTConfig> = {}): TextDiT {
  const sizes = { width: 16, depth: 2, heads: 2, patchSize: 4, channels: 2, imageSize: [8, 12] } as const;
  const text = {
    kind: 'tokens',
    vocabulary: 9,
    length: 5,
    width: 12,
    depth: 1,
    heads: 3,
    empty: [8],
  } as const;
  return new TextDiT({ ...sizes, text, ...changes });
}

/** What a new model's parameter starts with, by the reference. */
export async function initialValues(spec: ParameterSpec, seed: number): Promise<HostArray> {
  const program = trace('initial', (graph) => ({
    values: initialValue(spec, graph.input('step', [], 'int32'), seed),
  }));
  const executable = await referenceBackend().compile(program, new Map());
  await executable.run({ step: Int32Array.of(0) });
  return (await executable.read(['values'])).values;
}

/** Weights that are nowhere zero, so that every parameter matters. */
export async function randomWeights(backend: Backend, model: Module, seed = 1): Promise<Map<string, Buffer>> {
  const weights = new Map<string, Buffer>();
  for (const [i, { name, shape }] of model.parameters.entries()) {
    const buffer = backend.allocate({ shape, dtype: 'float32' });
    const values = randomValues(sizeOf(shape), seed + i).map((value) => 0.4 * value);
    await buffer.write(Float32Array.from(values));
    weights.set(name, buffer);
  }
  return weights;
}
