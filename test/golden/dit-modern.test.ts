// LightningDiT that its own code ran in float64: ../shared/golden/dit-modern-tiny/README.md.
import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readSafetensors } from '../../src/formats/safetensors-file.ts';
import { negatedOutput } from '../../src/interop/dit-weights.ts';
import { openWeights, readWeights } from '../../src/interop/weights-file.ts';
import { DiT } from '../../src/models/dit.ts';
import type { DiTConfig } from '../../src/models/dit-config.ts';
import { declareParameters } from '../../src/nn/parameters.ts';
import { meanSquaredError } from '../../src/ops/index.ts';
import { type Program, grad, trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import type { StoredTensor, StoredTensors } from '../../src/tensor/stored-tensor.ts';
import { allocateState } from '../../src/train/state.ts';
import { float32Backends } from '../support/backends.ts';
import { relativeError } from '../support/conformance.ts';
import { type GoldenTraining, goldenRun, numbers } from '../support/golden.ts';
import { outputsOf } from '../support/outputs.ts';

const folder = fileURLToPath(new URL('../../../shared/golden/dit-modern-tiny/', import.meta.url));
const absent = !existsSync(folder);
const sizes = { heads: 2, patchSize: 2, channels: 4, imageSize: [8, 8], classes: 4, timeScale: 1 } as const;
const batch = 4;
const first: DiTConfig = {
  ...sizes,
  width: 48,
  depth: 2,
  norm: 'rms',
  qkNorm: 'rms',
  mlp: 'swiglu',
  rotary: true,
};
const variants: readonly [name: string, weights: string, config: DiTConfig][] = [
  ['.', 'model.safetensors', first],
  [
    'published',
    'checkpoint.pt',
    {
      ...sizes,
      width: 64,
      depth: 1,
      patchSize: 1,
      imageSize: [4, 4],
      norm: 'rms',
      mlp: 'swiglu',
      rotary: true,
    },
  ],
  [
    'layernorm',
    'model.safetensors',
    { ...sizes, width: 32, depth: 1, qkNorm: 'layer', rotary: true, shifts: false },
  ],
];

async function tensorsOf(path: string): Promise<StoredTensors> {
  const { sets } = await openWeights(`${folder}${path}`);
  return readWeights(sets.ema ?? sets.model!);
}

/** Of config.json, what its steps were. */
interface Written {
  readonly adamw: GoldenTraining['config']['adamw'] & { readonly lr: number };
  readonly steps: number;
}

/**
 * Its ten steps, in which x, t and the target are given, as ours: t = 0 is its noise, so that with t' = 1 - t, and a target x1 - x0
 * that turns, as the last layer does, x = x0 + t' (x1 - x0).
 */
async function tenSteps(): Promise<GoldenTraining> {
  const [run, weights, end] = await Promise.all(
    ['run', 'model', 'run_end'].map(
      async (name) => (await readSafetensors(`${folder}${name}.safetensors`)).tensors,
    ),
  );
  const { adamw, steps } = JSON.parse(await readFile(`${folder}config.json`, 'utf8')) as Written;
  const model = new DiT({ ...first, reverseTime: true });
  const stored = (name: string, value: (i: number) => number): [string, StoredTensor] => {
    const { shape } = run!.get(name)!;
    return [
      name,
      { dtype: 'F32', shape, data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => value(i)) },
    ];
  };
  const [x, t, target] = ['x', 't', 'target'].map((name) => numbers(run!, name)) as [
    HostArray,
    HostArray,
    HostArray,
  ];
  const time = (i: number): number => 1 - t[i]!;
  const noise = (i: number): number => x[i]! + time(Math.floor(i / size)) * target[i]!;
  const size = sizeOf(model.sampleShape);
  const given = new Map([
    ['y', run!.get('y')!],
    stored('t', time),
    ['x0', stored('x', noise)[1]],
    ['x1', stored('x', (i) => noise(i) - target[i]!)[1]],
    ['loss', run!.get('loss')!],
    ['grad_norm', run!.get('grad_norm')!],
    ['lr', { dtype: 'F32', shape: [steps], data: new Float32Array(steps).fill(adamw.lr) }],
  ]);
  const config = { batch, steps, adamw, emaDecay: 0 };
  return { config, model, weights: negatedOutput(weights!), run: given, runEnd: negatedOutput(end!) };
}

for (const { label, create, skip } of float32Backends()) {
  describe.skipIf(absent || skip !== undefined)(
    `LightningDiT on ${label}${absent ? ' (no ../shared)' : ''}`,
    () => {
      it.each(variants)('%s has the same velocity, loss and gradients', async (variant, file, config) => {
        const [weights, { tensors: step }] = await Promise.all([
          tensorsOf(`${variant}/${file}`),
          readSafetensors(`${folder}${variant}/step.safetensors`),
        ]);
        const model = new DiT(config);
        const backend = create();
        const program = gradientsOf(model);
        const buffers = allocateState(backend, program);
        for (const { name, shape } of model.parameters) {
          expect([name, weights.get(name)?.shape]).toEqual([name, shape]);
          await buffers.get(name)!.write(numbers(weights, name));
        }
        const executable = await backend.compile(program, buffers);
        await executable.run({
          x: numbers(step, 'x'),
          t: numbers(step, 't'),
          labels: numbers(step, 'y'),
          target: numbers(step, 'target'),
        });
        const outputs = await outputsOf(executable);
        expect(outputs.size).toBe(model.parameters.length + 2);
        for (const [name, values] of outputs) {
          const tolerance = name.startsWith('grad.') ? 1e-4 : 1e-5;
          expectNear(name, values, numbers(step, name), tolerance);
        }
      });

      it('trains for ten steps along the same curve to the same weights', async () => {
        const golden = await tenSteps();
        const { losses, gradNorms, state } = await goldenRun(golden, create());
        expect(relativeError(losses, numbers(golden.run, 'loss'))).toBeLessThan(1e-5);
        expect(relativeError(gradNorms, numbers(golden.run, 'grad_norm'))).toBeLessThan(1e-4);
        for (const { name } of golden.model.parameters)
          expectNear(name, state.get(name)!, numbers(golden.runEnd, name), 1e-4);
      });
    },
  );
}

function expectNear(name: string, found: HostArray, wanted: HostArray, tolerance: number): void {
  expect(relativeError(found, wanted), `relative error of ${name}`).toBeLessThan(tolerance);
}

function gradientsOf(model: DiT): Program {
  return trace('step', (graph) => {
    const params = declareParameters(graph, model.parameters);
    const x = graph.input('x', [batch, ...model.sampleShape]);
    const labels = graph.input('labels', [batch], 'int32');
    const velocity = model.velocity(params, x, graph.input('t', [batch]), { labels });
    const loss = meanSquaredError(velocity, graph.input('target', x.shape));
    const names = model.parameters.map(({ name }) => name);
    const gradients = grad(
      loss,
      names.map((name) => params(name)),
    );
    return {
      velocity,
      loss,
      ...Object.fromEntries(names.map((name, i) => [`grad.${name}`, gradients[i]!])),
    };
  });
}
