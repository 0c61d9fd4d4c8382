// From noise to samples: a model, its weights and a backend on one side, an integrator on the other.
import type { Backend, Buffers, Executable } from '../backends/backend.ts';
import { type ConditionSpec, type Model, declareConditions } from '../models/model.ts';
import { declareParameters } from '../nn/parameters.ts';
import { broadcastTo, concat } from '../ops/index.ts';
import { type Program, trace } from '../program/index.ts';
import type { HostArray } from '../tensor/dtype.ts';
import { RectiflowError, valueError } from '../tensor/errors.ts';
import { philoxNormal } from '../tensor/philox.ts';
import { streams } from '../tensor/random-streams.ts';
import { sizeOf } from '../tensor/shape.ts';
import { guide } from './guidance.ts';
import { type Integrator, type SamplerName, type Velocity, samplerByName } from './samplers.ts';

export interface SampleOptions {
  /** How many samples to make. */
  readonly count: number;
  /** What the model is told of each sample. Without any, it makes samples of which nothing is told. */
  readonly conditions?: ConditionValues | undefined;
  /** Steps of the sampler, from t = 1 to t = 0. */
  readonly steps: number;
  /** The scale of classifier-free guidance; 1, the default, is none. */
  readonly guidance?: number;
  readonly sampler?: SamplerName;
  /** Sample i starts from noise that is a function of (seed, i) alone. */
  readonly seed: number;
  /** Told after every evaluation of the velocity of a batch. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops between two evaluations, with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The model's conditions of several samples, by name: [N, ...shape], row-major. */
export type ConditionValues = Readonly<Record<string, ArrayLike<number>>>;

interface Request {
  readonly count: number;
  readonly conditions: ConditionValues;
  readonly guidance: number;
  readonly integrator: Integrator;
}

/** Makes samples with the weights that its buffers hold at the time. Compiled programs are kept for further calls. */
export class FlowSampler {
  private readonly backend: Backend;
  private readonly model: Model;
  private readonly weights: Buffers;
  private readonly batchSize: number;
  private readonly compiled = new Map<string, Executable>();

  /**
   * @param weights a buffer for every parameter of the model, by name
   * @param batchSize the most samples to make at once, which bounds the memory
   */
  constructor(backend: Backend, model: Model, weights: Buffers, batchSize = 64) {
    if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
      throw valueError('sample', 'batchSize', 'a positive integer', batchSize);
    }
    this.backend = backend;
    this.model = model;
    this.weights = weights;
    this.batchSize = batchSize;
  }

  /**
   * @returns [count, ...sampleShape], row-major
   * @throws RectiflowError for options that do not fit the model, and for weights that give numbers that are not finite
   */
  async sample(options: SampleOptions): Promise<Float32Array> {
    const request = resolveRequest(this.model, options);
    const { count, integrator } = request;
    const elements = sizeOf(this.model.sampleShape);
    const batches = Math.ceil(count / this.batchSize);
    const size = Math.ceil(count / batches);
    const progress = counter(batches * options.steps * integrator.evaluationsPerStep, options.onProgress);
    const samples = new Float32Array(count * elements);
    for (let first = 0; first < count; first += size) {
      const velocity = this.velocity(request, first, size, progress, options.signal);
      const x0 = await integrator.integrate(
        velocity,
        noise(options.seed, first, size, elements),
        options.steps,
      );
      checkFinite(x0, first, elements);
      samples.set(x0.subarray(0, (count - first) * elements), first * elements);
    }
    return samples;
  }

  /** The velocity of the samples from `first` on; those beyond the last fill up the batch and are thrown away. */
  private velocity(
    { conditions, guidance }: Request,
    first: number,
    size: number,
    progress: () => void,
    signal: AbortSignal | undefined,
  ): Velocity {
    const guided = guidance !== 1;
    const executable = this.compile(size, guided);
    const told = this.model.conditions.map((spec) => {
      const rows = conditionRows(spec, conditions[spec.name], first, size, guided ? 2 * size : size);
      return [spec.name, rows] as const;
    });
    const fed = Object.fromEntries(told);
    return async (x, t) => {
      signal?.throwIfAborted();
      await executable.run({
        x,
        t: Float32Array.of(t),
        ...fed,
        ...(guided && { guidance: Float32Array.of(guidance) }),
      });
      const v = await executable.read('velocity');
      progress();
      return v instanceof Float32Array ? v : Float32Array.from(v);
    };
  }

  private compile(size: number, guided: boolean): Executable {
    const key = `${size} ${guided}`;
    const known = this.compiled.get(key);
    if (known) return known;
    const executable = this.backend.compile(velocityProgram(this.model, size, guided), this.weights);
    this.compiled.set(key, executable);
    return executable;
  }
}

/**
 * The velocity of a batch at one time. Inputs: x [B, ...sampleShape], t [], the model's conditions, [B, ...] each. Guided:
 * conditions [2B, ...], whose second half tells nothing, and guidance []. Output: velocity [B, ...sampleShape].
 */
export function velocityProgram(model: Model, batch: number, guided: boolean): Program {
  return trace(guided ? 'guidedVelocity' : 'velocity', (graph) => {
    const params = declareParameters(graph, model.parameters);
    const x = graph.input('x', [batch, ...model.sampleShape]);
    const evaluated = guided ? concat([x, x], 0) : x; // -> [2B, ...] or [B, ...]
    const rows = evaluated.shape[0]!;
    const t = broadcastTo(graph.input('t', []), [rows]);
    const v = model.velocity(params, evaluated, t, declareConditions(graph, model, rows));
    return { velocity: guided ? guide(v, graph.input('guidance', [])) : v };
  });
}

function resolveRequest(model: Model, options: SampleOptions): Request {
  const { count, conditions = {}, guidance = 1, sampler = 'euler' } = options;
  if (!Number.isSafeInteger(count) || count < 1)
    throw valueError('sample', 'count', 'a positive integer', count);
  if (!Number.isFinite(guidance)) throw valueError('sample', 'guidance', 'a finite number', guidance);
  if (guidance !== 1 && Object.keys(conditions).length === 0) {
    throw valueError(
      'sample',
      'guidance',
      '1 without conditions: there is nothing to guide towards',
      guidance,
    );
  }
  for (const name of Object.keys(conditions)) {
    if (model.conditions.some((spec) => spec.name === name)) continue;
    throw valueError(
      'sample',
      name,
      'left out: the model was trained without',
      `${conditions[name]!.length} values`,
    );
  }
  for (const spec of model.conditions) checkCondition(spec, conditions[spec.name], count);
  return { count, conditions, guidance, integrator: samplerByName(sampler) };
}

function checkCondition(
  { name, shape, absent, limit }: ConditionSpec,
  values: ArrayLike<number> | undefined,
  count: number,
): void {
  if (values === undefined) return;
  const size = sizeOf(shape);
  if (values.length !== count * size) {
    const wanted = `${size === 1 ? 'one' : size} for each of the ${count} samples`;
    throw valueError('sample', name, wanted, `${values.length} values`);
  }
  if (limit === undefined) return;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isInteger(value) && value >= 0 && (value < limit || value === absent[i % size])) continue;
    const wanted = `a whole number from 0 to ${limit - 1}`;
    throw valueError('sample', `${name} of sample ${Math.floor(i / size)}`, wanted, value);
  }
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

function noise(seed: number, firstSample: number, samples: number, elements: number): Float32Array {
  const key = { seed, stream: streams.sampling, step: 0 };
  return Float32Array.from(philoxNormal({ ...key, firstSample, samples, elements }));
}

function counter(total: number, onProgress: SampleOptions['onProgress']): () => void {
  let done = 0;
  return () => onProgress?.(++done, total);
}

function checkFinite(x0: Float32Array, first: number, elements: number): void {
  const at = x0.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new RectiflowError(
    'value',
    `sample: sample ${first + Math.floor(at / elements)} has numbers that are not finite: ` +
      'the training diverged or the weights are damaged. Sample from an earlier checkpoint',
  );
}
