// The velocity of onnxruntime is compared with ours. Its build for the web needs no download beside its package.
import { createRequire } from 'node:module';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { exportRun, importRun } from '../../src/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { writeSafetensors } from '../../src/formats/safetensors-file.ts';
import type { StoredTensors } from '../../src/tensor/stored-tensor.ts';
import { velocityProgram } from '../support/velocity-program.ts';
import { DiT } from '../../src/models/dit.ts';
import type { BlockParts } from '../../src/models/dit-parts.ts';
import { toOnnx } from '../../src/interop/onnx/index.ts';
import { type Program, trace } from '../../src/program/index.ts';
import { mul, neg, reshape } from '../../src/ops/index.ts';
import type { Tensor as GraphTensor } from '../../src/tensor/tensor.ts';
import { temporaryFolder } from '../support/cli.ts';
import { tinyDiT } from '../support/models.ts';
import { randomValues } from '../support/random.ts';
import { rows } from '../support/rows-view.ts';
import { storedWeights } from '../support/stored-weights.ts';

interface OnnxRuntime {
  readonly InferenceSession: { create(path: string): Promise<OnnxSession> };
  readonly Tensor: new (type: string, data: Float32Array | Int32Array, dims: readonly number[]) => unknown;
}

interface OnnxSession {
  run(
    feeds: Readonly<Record<string, unknown>>,
  ): Promise<Record<string, { readonly data: Float32Array; readonly dims: number[] }>>;
}

const { InferenceSession, Tensor } = createRequire(import.meta.url)('onnxruntime-web') as OnnxRuntime;
let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
});

interface Exported {
  readonly path: string;
  readonly model: DiT;
  readonly weights: StoredTensors;
}

let files = 0;

/** Random weights of a model, through an import, as an ONNX file. */
async function exported(
  classes: number,
  convention: 'rectiflow' | 'minrf',
  parts: BlockParts = {},
): Promise<Exported> {
  const weights = storedWeights(tinyDiT({ classes, ...parts }));
  const name = `${convention}-${classes}-${files++}`;
  const file = join(folder, `${name}.safetensors`);
  await writeSafetensors(file, weights);
  const options = { runs: join(folder, 'runs'), name, heads: 2, imageSize: [8, 12], convention } as const;
  const { run, model } = await importRun(file, options);
  const path = join(folder, `${name}.onnx`);
  await exportRun(run, { to: path, layout: 'onnx' });
  return { path, model: new DiT(model), weights };
}

const times = [0, 0.3, 1];
const size = 2 * 8 * 12;
const x = Float32Array.from(randomValues(3 * size, 3));
const labels = Int32Array.of(0, 2, 3);

async function ourVelocity({ model, weights }: Exported): Promise<number[]> {
  const backend = referenceBackend();
  const buffers = new Map(
    model.parameters.map(({ name, shape }) => [name, backend.allocate({ shape, dtype: 'float32' })]),
  );
  for (const [name, buffer] of buffers) await buffer.write(weights.get(name)!.data as Float32Array);
  const executable = await backend.compile(velocityProgram(model, 1, false), buffers);
  const velocities: number[] = [];
  for (const [i, t] of times.entries()) {
    const told = model.config.classes > 0 && { labels: labels.subarray(i, i + 1) };
    await executable.run({ x: x.slice(i * size, (i + 1) * size), t: Float32Array.of(t), ...told });
    velocities.push(...(await executable.read(['velocity'])).velocity);
  }
  return velocities;
}

describe('onnxruntime', () => {
  it.each([
    [3, 'rectiflow', {}],
    [0, 'minrf', {}],
    [3, 'minrf', { norm: 'rms', qkNorm: 'rms', mlp: 'swiglu', rotary: true }],
    [0, 'minrf', { qkNorm: 'layer', shifts: false }],
  ] as const)(
    'has our velocity, for any batch size: %d classes, %s, %j',
    async (classes, convention, parts) => {
      const file = await exported(classes, convention, parts);
      const session = await InferenceSession.create(file.path);
      const { velocity } = await session.run({
        x: new Tensor('float32', x, [3, 2, 8, 12]),
        t: new Tensor('float32', Float32Array.from(times), [3]),
        ...(classes > 0 && { labels: new Tensor('int32', labels, [3]) }),
      });
      expect(velocity!.dims).toEqual([3, 2, 8, 12]);
      const wanted = await ourVelocity(file);
      const largest = Math.max(...wanted.map(Math.abs));
      expect(largest).toBeGreaterThan(0.1);
      wanted.forEach((value, i) => expect(Math.abs(velocity!.data[i]! - value)).toBeLessThan(1e-4));
    },
  );
});

it('shows a part of a value as what it is a view of', async () => {
  const w = Float32Array.from(randomValues(18, 5));
  const build = (batch: number): Program =>
    trace('part', (graph) => ({
      y: mul(graph.input('x', [batch, 3]), reshape(rows(graph.stateful('w', [6, 3]), 4, 1), [3])),
    }));
  const path = join(folder, 'part.onnx');
  await writeFile(path, Buffer.concat(toOnnx(build, { weights: new Map([['w', w]]) })));
  const session = await InferenceSession.create(path);
  const { y } = await session.run({ x: new Tensor('float32', Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]) });
  const [a, b, c] = w.slice(12, 15) as unknown as [number, number, number];
  expect(y!.data).toEqual(Float32Array.of(a, 2 * b, 3 * c, 4 * a, 5 * b, 6 * c));
});

it.each([
  ['grows', (values: GraphTensor, batch: number) => rows(values, 0, batch)],
  ['moves', (values: GraphTensor, batch: number) => rows(values, batch, 1)],
])('refuses a view of a part that %s with the batch', (_, take) => {
  const build = (batch: number): Program =>
    trace('part', (graph) => ({ y: neg(take(graph.input('x', [2 * batch, 3]), batch)) }));
  expect(() => toOnnx(build, { weights: new Map() })).toThrow(
    'onnx: rows views a part that changes with the batch',
  );
});

it('holds the weights and what the model is', async () => {
  const { path, weights } = await exported(3, 'rectiflow');
  const file = await readFile(path);
  for (const { data } of weights.values())
    expect(file.includes(Buffer.from(data.buffer, data.byteOffset, data.byteLength))).toBe(true);
  expect(file.includes('"kind":"dit"')).toBe(true);
  expect(file.includes('final_layer.linear.weight')).toBe(true);
});

it('refuses a model that is larger than a protocol buffer can be', () => {
  const width = 2 ** 29;
  const build = (batch: number): Program =>
    trace('large', (graph) => ({ y: mul(graph.input('x', [batch, 1]), graph.stateful('w', [width])) }));
  const weights = new Map([['w', new Float32Array(width)]]);
  expect(() => toOnnx(build, { weights })).toThrow(
    /takes 2147\d+ bytes.* can hold 2147483647\. Export it with --layout public/,
  );
});
