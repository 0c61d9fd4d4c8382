// From noise to samples: a model, its weights and a backend on one side, an integrator on the other.
import type { Backend, Buffers, Executable } from '../backends/backend.ts';
import type { Model } from '../models/model.ts';
import { declareParameters } from '../nn/parameters.ts';
import { broadcastTo, concat } from '../ops/index.ts';
import { type Program, trace } from '../program/index.ts';
import { RectiflowError, valueError } from '../tensor/errors.ts';
import { philoxNormal } from '../tensor/philox.ts';
import { streams } from '../tensor/random-streams.ts';
import { sizeOf } from '../tensor/shape.ts';
import { guide } from './guidance.ts';
import { type Integrator, type SamplerName, type Velocity, samplerByName } from './samplers.ts';

export interface SampleOptions {
  /** How many samples to make; the number of labels by default. */
  readonly count?: number;
  /** One for each sample. Without labels, a model with classes makes samples of its null label. */
  readonly labels?: readonly number[];
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

interface Request {
  readonly count: number;
  readonly labels: readonly number[] | undefined;
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
    const request = resolve(this.model, options);
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
    { labels, guidance }: Request,
    first: number,
    size: number,
    progress: () => void,
    signal: AbortSignal | undefined,
  ): Velocity {
    const { classes } = this.model;
    const guided = guidance !== 1;
    const executable = this.compile(size, guided);
    const seen = Int32Array.from({ length: guided ? 2 * size : size }, (_, i) =>
      i < size ? (labels?.[first + i] ?? classes) : classes,
    );
    return async (x, t) => {
      signal?.throwIfAborted();
      await executable.run({
        x,
        t: Float32Array.of(t),
        ...(classes > 0 && { labels: seen }),
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
 * The velocity of a batch at one time. Inputs: x [B, ...sampleShape], t [], labels int32 [B] for a model with classes. Guided:
 * labels [2B], whose second half are null labels, and guidance []. Output: velocity [B, ...sampleShape].
 */
export function velocityProgram(model: Model, batch: number, guided: boolean): Program {
  return trace(guided ? 'guidedVelocity' : 'velocity', (graph) => {
    const params = declareParameters(graph, model.parameters);
    const x = graph.input('x', [batch, ...model.sampleShape]);
    const evaluated = guided ? concat([x, x], 0) : x; // -> [2B, ...] or [B, ...]
    const rows = evaluated.shape[0]!;
    const t = broadcastTo(graph.input('t', []), [rows]);
    const labels = model.classes === 0 ? undefined : graph.input('labels', [rows], 'int32');
    const v = model.velocity(params, evaluated, t, labels);
    return { velocity: guided ? guide(v, graph.input('guidance', [])) : v };
  });
}

function resolve({ classes }: Model, options: SampleOptions): Request {
  const { labels, guidance = 1, sampler = 'euler' } = options;
  const count = options.count ?? labels?.length ?? 1;
  if (!Number.isSafeInteger(count) || count < 1)
    throw valueError('sample', 'count', 'a positive integer', count);
  if (!Number.isFinite(guidance)) throw valueError('sample', 'guidance', 'a finite number', guidance);
  if (labels && classes === 0) {
    throw valueError(
      'sample',
      'labels',
      'left out: the model was trained without classes',
      labels.join(', '),
    );
  }
  if (labels && labels.length !== count) {
    throw valueError('sample', 'labels', `one for each of the ${count} samples`, `${labels.length} labels`);
  }
  if (!labels && guidance !== 1) {
    throw valueError('sample', 'guidance', '1 without labels: there is nothing to guide towards', guidance);
  }
  labels?.forEach((label, i) => {
    if (Number.isInteger(label) && label >= 0 && label < classes) return;
    throw valueError('sample', `label ${i}`, `a class of the model, from 0 to ${classes - 1}`, label);
  });
  return { count, labels, guidance, integrator: samplerByName(sampler) };
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
