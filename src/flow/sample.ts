// From noise to samples: a model, its weights and a backend on one side, an integrator on the other.
import type { Backend, Buffers, Disposable, Executable } from '../backends/backend.ts';
import type { ConditionSpec, VelocityModel } from '../models/model.ts';
import type { HostArray } from '../tensor/dtype.ts';
import { RectiflowError, valueError } from '../tensor/errors.ts';
import { Lifetime, disposeAll, serial } from '../tensor/lifetime.ts';
import { philoxNormal } from '../tensor/philox.ts';
import { streams } from '../tensor/random-streams.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import { DeviceSpace, SampleMemory, type SamplePrograms, samplePrograms } from './device-space.ts';
import type { Integration, Values, Velocity } from './integrator.ts';
import type { Objective } from './objective.ts';
import { rectifiedFlow } from './rectified-flow.ts';
import { SampleProgress } from './sample-progress.ts';
import { type SampleOptions, type SampleRequest, resolveRequest } from './sample-request.ts';
import { velocityInPlace } from './velocity-program.ts';

/** Samples that are made at once, where nothing else is asked for. */
export const mostAtOnce = 64;

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
  private readonly compiled = samplePrograms();
  private readonly memories = new Map<string, SampleMemory>();
  /** Calls take turns: they share buffers. */
  private readonly exclusively = serial();
  private readonly life = new Lifetime('the sampler', () =>
    this.exclusively(async () => {
      await this.compiled.dispose();
      await disposeAll(this.memories.values());
    }),
  );

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
   * Where the sampler's steps can be taken anywhere, samples stay on the device from noise to data, and each batch is read once.
   * @returns [count, ...shape of a sample], row-major
   * @throws RectiflowError for options that do not fit the model, and for weights that give numbers that are not finite
   */
  async sample(options: SampleOptions): Promise<Float32Array> {
    this.life.check();
    return this.exclusively(() => this.makeSamples(options));
  }

  /**
   * One of the batches that `sample` makes of these options, to the bit: to make others elsewhere. Throws as `sample` does.
   * @param batch from 0, of `batchesOf` their count
   * @returns [samples of the batch, ...shape of a sample]
   */
  async sampleBatch(options: SampleOptions, batch: number): Promise<Float32Array> {
    this.life.check();
    return this.exclusively(() => this.makeSamples(options, batch));
  }

  /** When samples that were asked for are made. The weights stay as they are. */
  dispose(): Promise<void> {
    return this.life.dispose();
  }

  /** @param only of the batches; all by default */
  private async makeSamples(options: SampleOptions, only?: number): Promise<Float32Array> {
    const request = resolveRequest(this.model, this.objective, options);
    const { count, shape, steps, integrator, from } = request;
    const elements = sizeOf(shape);
    const { batches, size } = batchesOf(count, this.batchSize);
    const perStep = integrator.evaluationsPerStep;
    const perBatch = perStep === undefined ? undefined : (steps - (from?.done ?? 0)) * perStep;
    const [begin, end] = only === undefined ? [0, count] : [only * size, Math.min(count, (only + 1) * size)];
    const progress = new SampleProgress(only === undefined ? batches : 1, perBatch, options.onProgress);
    const programs = samplePrograms();
    const samples = new Float32Array((end - begin) * elements);
    try {
      for (let first = begin; first < end; first += size) {
        const x0 = await this.makeBatch({ first, size, request, options, progress, programs });
        checkFinite(x0, first, elements);
        samples.set(x0.subarray(0, (end - first) * elements), (first - begin) * elements);
        progress.endBatch();
      }
    } finally {
      await programs.dispose();
    }
    progress.end();
    return samples;
  }

  private async makeBatch(batch: Batch): Promise<Values> {
    const { first, size, request, progress, programs } = batch;
    const { shape, seed, firstSample, integrator } = request;
    const { signal, onVisit, onVelocity } = batch.options;
    const memory = this.memory([size, ...shape]);
    const model = this.modelOf(batch, memory);
    const integration = this.integration(batch);
    if (integrator.takeStep === undefined) {
      const x1 = this.noise(batch, streams.sampling, 0);
      return integrator.integrate(hostVelocity(batch, memory, model), x1, integration);
    }
    const evaluate = async (t: number): Promise<void> => {
      signal?.throwIfAborted();
      if (onVisit) onVisit(toFloat32(await memory.x.read()), t, first);
      await model(new Float64Array(size).fill(t), isGuided(request, t));
      if (onVelocity) {
        const x = toFloat32(await memory.x.read());
        onVelocity({ x, t, velocity: toFloat32(await memory.velocity.read()), first });
      }
      progress.evaluated();
    };
    const from = request.from && partOf(request.from.x, first, size, sizeOf(shape));
    const space = new DeviceSpace(memory, { evaluate, seed, first: firstSample + first, programs, from });
    await space.takeSteps(integrator.takeStep, integration);
    return toFloat32(await memory.x.read());
  }

  private integration(batch: Batch): Integration {
    const { first, request, progress } = batch;
    const { count, shape, steps, timeShift, rtol, atol, maxEvaluations, diffusion, eta, clip, from } =
      request;
    const elements = sizeOf(shape);
    const onCovered = (share: number): void => progress.cover(share);
    return {
      steps,
      timeShift,
      done: from?.done ?? 0,
      eta,
      clip,
      adaptive: { rtol, atol, maxEvaluations, elements, wanted: count - first, onCovered },
      stochastic: { diffusion, noise: (step) => this.noise(batch, streams.diffusion, step) },
    };
  }

  /** As it is drawn on the device, too. */
  private noise({ first, size, request }: Batch, stream: number, step: number): Float32Array {
    const { seed, shape, firstSample } = request;
    const elements = sizeOf(shape);
    return Float32Array.from(
      philoxNormal({ seed, stream, step, firstSample: firstSample + first, samples: size, elements }),
    );
  }

  /** Those beyond the last sample fill up the batch and are thrown away. */
  private modelOf(
    { first, size, request: { conditions, guidance, shape } }: Batch,
    memory: SampleMemory,
  ): Evaluate {
    const told = this.model.conditions.map((spec) => {
      const rows = conditionRows(spec, conditions[spec.name], { first, size, rows: 2 * size, shape });
      return [spec.name, rows, rows.subarray(0, rows.length / 2)] as const;
    });
    const both = Object.fromEntries(told.map(([name, rows]) => [name, rows]));
    const conditional = Object.fromEntries(told.map(([name, , half]) => [name, half]));
    return async (times, guided) => {
      const executable = await this.compile(memory, guided);
      const t = Float32Array.from(times);
      await executable.run({
        t,
        ...(guided ? { ...both, guidance: Float32Array.of(guidance) } : conditional),
      });
    };
  }

  /** @param shape [B, ...shape of a sample] */
  private memory(shape: Shape): SampleMemory {
    const key = shape.join(' ');
    const known = this.memories.get(key);
    if (known !== undefined) return known;
    const memory = new SampleMemory(this.backend, shape);
    this.memories.set(key, memory);
    return memory;
  }

  private compile(memory: SampleMemory, guided: boolean): Promise<Executable> {
    return this.compiled.get(`${memory.shape.join(' ')} ${guided}`, () => {
      const [size, ...shape] = memory.shape as [number, ...number[]];
      const program = velocityInPlace(this.model, size, guided, this.objective, shape);
      return this.backend.compile(program, new Map([...this.weights, ...memory.state]));
    });
  }
}

/** Samples that are made at once. */
interface Batch {
  /** The index of the first of them. */
  readonly first: number;
  readonly size: number;
  readonly request: SampleRequest;
  readonly options: SampleOptions;
  readonly progress: SampleProgress;
  /** Those of the request's seed. */
  readonly programs: SamplePrograms;
}

/** Sets the velocity of the memory to that at its x. @param times of all samples */
type Evaluate = (times: Float64Array, guided: boolean) => Promise<void>;

function isGuided({ guidance, guidanceInterval: [low, high] }: SampleRequest, t: number): boolean {
  return guidance !== 1 && low <= t && t <= high;
}

/** For integrators that compute on the host: x goes to the device, and the velocity comes back. */
function hostVelocity(batch: Batch, memory: SampleMemory, evaluate: Evaluate): Velocity {
  const { first, size, request, progress } = batch;
  const { signal, onVisit, onVelocity } = batch.options;
  const velocityOf = async (times: Float64Array, guided: boolean): Promise<Float32Array> => {
    await evaluate(times, guided);
    return toFloat32(await memory.velocity.read());
  };
  return async (values, t) => {
    signal?.throwIfAborted();
    onVisit?.(values, t, first);
    await memory.x.write(toFloat32(values));
    const times = typeof t === 'number' ? new Float64Array(size).fill(t) : t;
    const guided = Array.from(times, (time) => isGuided(request, time));
    const anyGuided = guided.includes(true);
    const v = await velocityOf(times, anyGuided);
    if (anyGuided && guided.includes(false)) {
      // Each sample gets the bits that it would get on its own.
      const plain = await velocityOf(times, false);
      const elements = v.length / size;
      guided.forEach((isGuidedHere, i) => {
        if (!isGuidedHere) v.set(plain.subarray(i * elements, (i + 1) * elements), i * elements);
      });
    }
    onVelocity?.({ x: values, t, velocity: v, first });
    progress.evaluated();
    return v;
  };
}

/** What `rows` rows are told: the samples, of a shape, from `first` to `first + size`; then only what is told always. */
function conditionRows(
  { dtype, absent, always }: ConditionSpec,
  values: ArrayLike<number> | undefined,
  { first, size, rows, shape }: { first: number; size: number; rows: number; shape: Shape },
): HostArray {
  const length = absent.length;
  const given = values ? values.length / length : 0;
  const untold = always?.(shape) ?? absent;
  const data = new (dtype === 'int32' ? Int32Array : Float32Array)(rows * length);
  for (let row = 0; row < rows; row++) {
    const sample = first + (always ? row % size : row);
    const isTold = (always !== undefined || row < size) && sample < given;
    for (let i = 0; i < length; i++)
      data[row * length + i] = isTold ? values![sample * length + i]! : untold[i]!;
  }
  return data;
}

/** Samples from `first` on, filled up with zeros where a batch has more. */
function partOf(x: Float32Array, first: number, size: number, elements: number): Float32Array {
  const part = new Float32Array(size * elements);
  part.set(x.subarray(first * elements, (first + size) * elements));
  return part;
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
