// From noise to samples: a model, its weights and a backend on one side, an integrator on the other.
import type { Backend, Buffers, Disposable, Executable } from '../backends/backend.ts';
import { Kept } from '../tensor/kept.ts';
import { type ConditionSpec, type VelocityModel, declareConditions } from '../models/model.ts';
import { declareParameters } from '../nn/parameters.ts';
import { concat } from '../ops/index.ts';
import { type Program, trace } from '../program/index.ts';
import type { HostArray } from '../tensor/dtype.ts';
import { RectiflowError, valueError } from '../tensor/errors.ts';
import { philoxNormal } from '../tensor/philox.ts';
import { streams } from '../tensor/random-streams.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import { guide } from './guidance.ts';
import type { Integration, Values, Velocity } from './integrator.ts';
import type { Objective } from './objective.ts';
import { rectifiedFlow } from './rectified-flow.ts';
import { SampleProgress } from './sample-progress.ts';
import { type SampleOptions, type SampleRequest, resolveRequest } from './sample-request.ts';

const mostAtOnce = 64;

/** How many batches samples are made in, and the size of each; the last may be filled up. @param most of a batch */
export function batchesOf(count: number, most: number = mostAtOnce): { batches: number; size: number } {
  const batches = Math.ceil(count / most);
  return { batches, size: Math.ceil(count / batches) };
}

export interface FlowSamplerOptions {
  /** The most samples to make at once, which bounds the memory; 64 by default. */
  readonly batchSize?: number | undefined;
  /** What the weights were trained for; rectified flow by default. */
  readonly objective?: Objective | undefined;
}

/** Makes samples with the weights that its buffers hold at the time. Compiled programs, of each shape, are kept for further calls, until it is disposed of. */
export class FlowSampler implements Disposable {
  private readonly backend: Backend;
  private readonly model: VelocityModel;
  private readonly weights: Buffers;
  private readonly batchSize: number;
  private readonly objective: Objective;
  private readonly compiled = new Kept<Executable>('the sampler', (executable) => executable.dispose());

  /** @param weights a buffer for every parameter of the model, by name */
  constructor(
    backend: Backend,
    model: VelocityModel,
    weights: Buffers,
    { batchSize = mostAtOnce, objective = rectifiedFlow() }: FlowSamplerOptions = {},
  ) {
    if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
      throw valueError('sample', 'batchSize', 'a positive integer', batchSize);
    }
    this.backend = backend;
    this.model = model;
    this.weights = weights;
    this.batchSize = batchSize;
    this.objective = objective;
  }

  /**
   * @returns [count, ...shape of a sample], row-major
   * @throws RectiflowError for options that do not fit the model, and for weights that give numbers that are not finite
   */
  async sample(options: SampleOptions): Promise<Float32Array> {
    const request = resolveRequest(this.model, this.objective, options);
    const { count, shape, seed, steps, integrator } = request;
    const elements = sizeOf(shape);
    const { batches, size } = batchesOf(count, this.batchSize);
    const perStep = integrator.evaluationsPerStep;
    const perBatch = perStep === undefined ? undefined : steps * perStep;
    const progress = new SampleProgress(batches, perBatch, options.onProgress);
    const samples = new Float32Array(count * elements);
    for (let first = 0; first < count; first += size) {
      const velocity = this.velocity(request, first, size, progress, options);
      const x1 = normal(seed, streams.sampling, 0, first, size, elements);
      const x0 = await integrator.integrate(velocity, x1, this.integration(request, first, size, progress));
      checkFinite(x0, first, elements);
      samples.set(x0.subarray(0, (count - first) * elements), first * elements);
      progress.endBatch();
    }
    progress.end();
    return samples;
  }

  /** The weights stay as they are. */
  dispose(): Promise<void> {
    return this.compiled.dispose();
  }

  private integration(
    { count, shape, seed, steps, timeShift, rtol, atol, maxEvaluations, diffusion, eta, clip }: SampleRequest,
    first: number,
    size: number,
    progress: SampleProgress,
  ): Integration {
    const elements = sizeOf(shape);
    const onCovered = (share: number): void => progress.cover(share);
    return {
      steps,
      timeShift,
      eta,
      clip,
      adaptive: { rtol, atol, maxEvaluations, elements, wanted: count - first, onCovered },
      stochastic: {
        diffusion,
        noise: (step) => normal(seed, streams.diffusion, step, first, size, elements),
      },
    };
  }

  /** The velocity of the samples from `first` on; those beyond the last fill up the batch and are thrown away. */
  private velocity(
    { shape, conditions, guidance, guidanceInterval: [low, high] }: SampleRequest,
    first: number,
    size: number,
    progress: SampleProgress,
    { signal, onVisit }: SampleOptions,
  ): Velocity {
    const told = this.model.conditions.map((spec) => {
      const rows = conditionRows(spec, conditions[spec.name], first, size, 2 * size);
      return [spec.name, rows, rows.subarray(0, rows.length / 2)] as const;
    });
    const both = Object.fromEntries(told.map(([name, rows]) => [name, rows]));
    const conditional = Object.fromEntries(told.map(([name, , half]) => [name, half]));
    const evaluate = async (x: Float32Array, t: Float32Array, guided: boolean): Promise<Float32Array> => {
      const executable = await this.compile(shape, size, guided);
      await executable.run({
        x,
        t,
        ...(guided ? { ...both, guidance: Float32Array.of(guidance) } : conditional),
      });
      return toFloat32((await executable.read(['velocity'])).velocity);
    };
    return async (values, t) => {
      signal?.throwIfAborted();
      onVisit?.(values, t, first);
      const x = toFloat32(values);
      const times = typeof t === 'number' ? new Float64Array(size).fill(t) : t;
      const guided = Array.from(times, (time) => guidance !== 1 && low <= time && time <= high);
      const anyGuided = guided.includes(true);
      const v = await evaluate(x, Float32Array.from(times), anyGuided);
      if (anyGuided && guided.includes(false)) {
        // Each sample gets the bits that it would get on its own.
        const plain = await evaluate(x, Float32Array.from(times), false);
        const elements = x.length / size;
        guided.forEach((isGuided, i) => {
          if (!isGuided) v.set(plain.subarray(i * elements, (i + 1) * elements), i * elements);
        });
      }
      progress.evaluated();
      return v;
    };
  }

  private compile(shape: Shape, size: number, guided: boolean): Promise<Executable> {
    return this.compiled.get(`${shape.join(' ')} of ${size} ${guided}`, () => {
      const program = velocityProgram(this.model, size, guided, this.objective, shape);
      return this.backend.compile(program, this.weights);
    });
  }
}

/**
 * The velocity of a batch, or what else the samplers of the objective go by. Inputs: x [B, ...sampleShape], t [B], the model's conditions, [B, ...] each. Guided:
 * conditions [2B, ...], whose second half tells nothing, and guidance []. Output: velocity [B, ...sampleShape].
 */
export function velocityProgram(
  model: VelocityModel,
  batch: number,
  guided: boolean,
  objective: Objective = rectifiedFlow(),
  sampleShape: Shape = model.sampleShape,
): Program {
  return trace(guided ? 'guidedVelocity' : 'velocity', (graph) => {
    const params = declareParameters(graph, model.parameters);
    const x = graph.input('x', [batch, ...sampleShape]);
    const evaluated = guided ? concat([x, x], 0) : x; // -> [2B, ...] or [B, ...]
    const rows = evaluated.shape[0]!;
    const t = graph.input('t', [batch]);
    const times = guided ? concat([t, t], 0) : t;
    const predicted = model.velocity(params, evaluated, times, declareConditions(graph, model, rows));
    const output = guided ? guide(predicted, graph.input('guidance', [])) : predicted;
    return { velocity: objective.velocity?.(output, x, t) ?? output };
  });
}

/** What `rows` rows are told: the samples from `first` to `first + size`, then nothing. */
function conditionRows(
  { dtype, absent }: ConditionSpec,
  values: ArrayLike<number> | undefined,
  first: number,
  size: number,
  rows: number,
): HostArray {
  const given = values ? values.length / absent.length : 0;
  const data = new (dtype === 'int32' ? Int32Array : Float32Array)(rows * absent.length);
  for (let row = 0; row < rows; row++) {
    const sample = first + row;
    const isTold = row < size && sample < given;
    for (let i = 0; i < absent.length; i++)
      data[row * absent.length + i] = isTold ? values![sample * absent.length + i]! : absent[i]!;
  }
  return data;
}

function normal(
  seed: number,
  stream: number,
  step: number,
  firstSample: number,
  samples: number,
  elements: number,
): Float32Array {
  return Float32Array.from(philoxNormal({ seed, stream, step, firstSample, samples, elements }));
}

function toFloat32(values: HostArray): Float32Array {
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

function checkFinite(x0: Values, first: number, elements: number): void {
  const at = x0.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new RectiflowError(
    'value',
    `sample: sample ${first + Math.floor(at / elements)} has numbers that are not finite: ` +
      'the training diverged or the weights are damaged. Sample from an earlier checkpoint',
  );
}
