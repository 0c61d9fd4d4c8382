// The golden run of test/golden/dit-tiny: a DiT that PyTorch ran in float32, its first velocity, loss and gradients, and
// 20 steps of AdamW with clipping and EMA from there. Noise, times and labels are given, so that nothing is left to chance.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Backend, Buffer } from '../../src/backends/backend.ts';
import { readSafetensors } from '../../src/formats/safetensors-file.ts';
import type { StoredTensors } from '../../src/tensor/stored-tensor.ts';
import { interpolate } from '../../src/flow/rectified-flow.ts';
import { DiT } from '../../src/models/dit.ts';
import { declareParameters } from '../../src/nn/parameters.ts';
import { type Program, trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { givenDraw } from '../../src/train/draw.ts';
import { allocateState } from '../../src/train/state.ts';
import { gradientProgram } from '../../src/train/loss.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';
import { adamwGroups } from '../../src/optim/adamw.ts';
import { trainingStepProgram } from '../../src/train/step.ts';
import { outputsOf } from './outputs.ts';

interface GoldenConfig {
  readonly image: number;
  readonly patch: number;
  readonly channels: number;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly classes: number;
  readonly batch: number;
  readonly steps: number;
  readonly timeScale: number;
  readonly adamw: {
    readonly betas: readonly [number, number];
    readonly eps: number;
    readonly weightDecay: number;
  };
  readonly gradClip: number;
  readonly emaDecay: number;
}

export interface Golden {
  readonly config: GoldenConfig;
  readonly model: DiT;
  readonly weights: StoredTensors;
  readonly step: StoredTensors;
  readonly run: StoredTensors;
  readonly runEnd: StoredTensors;
}

export async function loadGolden(): Promise<Golden> {
  const folder = fileURLToPath(new URL('../golden/dit-tiny/', import.meta.url));
  const config = JSON.parse(await readFile(`${folder}config.json`, 'utf8')) as GoldenConfig;
  const read = async (name: string): Promise<StoredTensors> =>
    (await readSafetensors(`${folder}${name}.safetensors`)).tensors;
  const { image, patch: patchSize, width, depth, heads, channels, classes, timeScale } = config;
  const imageSize = [image, image] as const;
  const model = new DiT({ width, depth, heads, patchSize, channels, imageSize, classes, timeScale });
  const [weights, step, run, runEnd] = await Promise.all(['model', 'step', 'run', 'run_end'].map(read));
  return { config, model, weights: weights!, step: step!, run: run!, runEnd: runEnd! };
}

/** The numbers of a stored tensor, or of its part number `i` along axis 0. */
export function numbers(tensors: StoredTensors, name: string, i?: number): HostArray {
  const { shape, data } = tensors.get(name)!;
  const all = data as HostArray;
  const part = sizeOf(shape.slice(1));
  return i === undefined ? all : all.slice(i * part, (i + 1) * part);
}

/** Velocity, loss and gradients of the first step: outputs by name, `velocity`, `loss` and `grad/<name>`. */
export async function goldenStep(golden: Golden, backend: Backend): Promise<Map<string, HostArray>> {
  const { step } = golden;
  const inputs = {
    x0: numbers(step, 'x0'),
    x1: numbers(step, 'x1'),
    t: numbers(step, 't'),
    labels: numbers(step, 'y'),
  };
  const velocity = await execute(golden, backend, velocityOfBatch(golden), inputs);
  const objective = {
    task: velocityTask({ model: golden.model, draw: givenDraw }),
    batch: golden.config.batch,
  };
  const gradient = await execute(golden, backend, gradientProgram(objective), {
    ...inputs,
    step: Int32Array.of(1),
  });
  return new Map([...velocity, ...gradient]);
}

export interface GoldenRun {
  readonly losses: readonly number[];
  readonly gradNorms: readonly number[];
  /** The state after the last step. */
  readonly state: ReadonlyMap<string, HostArray>;
}

/** Steps of AdamW whose noise, data, times and labels are given. */
export interface GoldenTraining extends Pick<Golden, 'model' | 'weights' | 'run' | 'runEnd'> {
  readonly config: Pick<GoldenConfig, 'batch' | 'steps' | 'adamw' | 'emaDecay'> &
    Partial<Pick<GoldenConfig, 'gradClip'>>;
}

/** Repeats PyTorch's steps. */
export async function goldenRun(golden: GoldenTraining, backend: Backend): Promise<GoldenRun> {
  const { config, model, run } = golden;
  const [beta1, beta2] = config.adamw.betas;
  const program = trainingStepProgram({
    task: velocityTask({ model, draw: givenDraw }),
    batch: config.batch,
    optimizers: adamwGroups({
      beta1,
      beta2,
      epsilon: config.adamw.eps,
      weightDecay: config.adamw.weightDecay,
    }),
    maxGradNorm: config.gradClip,
  });
  const buffers = await loadedState(golden, backend, program);
  const executable = await backend.compile(program, buffers);
  const losses: number[] = [];
  const gradNorms: number[] = [];
  for (let i = 0; i < config.steps; i++) {
    await executable.run({
      x0: numbers(run, 'x0', i),
      x1: numbers(run, 'x1', i),
      t: numbers(run, 't', i),
      labels: numbers(run, 'y', i),
      learningRate: numbers(run, 'lr', i),
      emaWeight: Float32Array.of(1 - config.emaDecay),
      step: Int32Array.of(i + 1),
      update: Int32Array.of(i + 1),
    });
    losses.push((await executable.read(['loss'])).loss[0]!);
    gradNorms.push((await executable.read(['gradNorm'])).gradNorm[0]!);
  }
  const state = new Map<string, HostArray>();
  for (const [name, buffer] of buffers) state.set(name, await buffer.read());
  return { losses, gradNorms, state };
}

function velocityOfBatch({ model, config }: Golden): Program {
  return trace('velocity', (graph) => {
    const params = declareParameters(graph, model.parameters);
    const shape = [config.batch, ...model.sampleShape];
    const [x0, x1] = [graph.input('x0', shape), graph.input('x1', shape)];
    const t = graph.input('t', [config.batch]);
    const labels = graph.input('labels', [config.batch], 'int32');
    return { velocity: model.velocity(params, interpolate(x0, x1, t), t, { labels }) };
  });
}

async function execute(
  golden: Golden,
  backend: Backend,
  program: Program,
  inputs: Readonly<Record<string, HostArray>>,
): Promise<Map<string, HostArray>> {
  const executable = await backend.compile(program, await loadedState(golden, backend, program));
  await executable.run(inputs);
  return outputsOf(executable);
}

/** State with the golden weights in place, and in the place of their averages. */
async function loadedState(
  golden: Pick<Golden, 'model' | 'weights'>,
  backend: Backend,
  program: Program,
): Promise<Map<string, Buffer>> {
  const buffers = allocateState(backend, program);
  for (const { name } of golden.model.parameters) {
    await buffers.get(name)!.write(numbers(golden.weights, name));
    await buffers.get(`ema/${name}`)?.write(numbers(golden.weights, name));
  }
  return buffers;
}
