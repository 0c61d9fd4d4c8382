// What is asked of a sampler, checked against the model.
import { type ConditionSpec, type VelocityModel, checkShape } from '../models/model.ts';
import { counted } from '../tensor/counted.ts';
import { valueError } from '../tensor/errors.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { Integrator, Values } from './integrator.ts';
import { type Objective, samplerOf } from './objective.ts';
import type { AnySamplerName } from './samplers.ts';

/** How to go from noise to data. docs/sampling.md says when to choose what. */
export interface SamplerSettings {
  /** One of the objective's: for rectified flow `euler` by default, for DDPM `ddim`. */
  readonly sampler?: AnySamplerName | undefined;
  /** Steps of the sampler, from t = 1 to t = 0. `dopri5` makes as many as it needs. */
  readonly steps: number;
  /** Above 1: more of the steps are near noise; see `shiftTime`. 1, the default: they are equal. Means nothing to `dopri5`. */
  readonly timeShift?: number | undefined;
  /** Of `dopri5`: what error of a step is tolerated, in proportion to the values and beside that; both 1e-3 by default. */
  readonly rtol?: number | undefined;
  readonly atol?: number | undefined;
  /** Of `dopri5`: evaluations of a batch after which to give up; 1000 by default. */
  readonly maxEvaluations?: number | undefined;
  /** Of `euler-maruyama`: c in w(t) = c t, or w itself, from t to a number from 0; 1 by default. */
  readonly diffusion?: number | ((t: number) => number) | undefined;
  /** Of `ddim`: how much noise is added on the way, from 0, the default, to 1. */
  readonly eta?: number | undefined;
  /** Of `ddim` and `ancestral`: what the model foresees of the data is kept within [-clip, clip]; 0, the default: it is not. */
  readonly clip?: number | undefined;
  /** The scale of classifier-free guidance; 1, the default, is none. */
  readonly guidance?: number | undefined;
  /**
   * The times with guidance, [0, 1] by default (Kynkaanniemi et al. 2024, arXiv:2404.07724). At others the velocity is the
   * conditional one, which costs half as much.
   */
  readonly guidanceInterval?: readonly [low: number, high: number] | undefined;
}

export interface SampleOptions extends SamplerSettings {
  /** How many samples to make. */
  readonly count: number;
  /** Of a sample; that which the model is made for by default. */
  readonly shape?: Shape | undefined;
  /** What the model is told of each sample. Without any, it makes samples of which nothing is told. */
  readonly conditions?: ConditionValues | undefined;
  /** Sample i starts from noise that is a function of (seed, firstSample + i) alone. */
  readonly seed: number;
  /**
   * Begins on the way in place of at noise: at x [count, ...shape of a sample], as `onVisit` has shown it, with so many of the steps behind
   * it. With the same options the rest is, to the bit, what it would have been; with others the samples become something else from there
   * on. Not for `dopri5`, which has no steps that could be counted.
   */
  readonly from?: { readonly x: Float32Array; readonly done: number } | undefined;
  /** Where samples are counted from; 0 by default. What is made in parts is then made as one. */
  readonly firstSample?: number | undefined;
  /**
   * Told after every evaluation of the velocity of a batch. For `dopri5` the total is an estimate by the share of the way that
   * is done, until the last call, whose numbers are equal.
   */
  readonly onProgress?: (done: number, total: number) => void;
  /** Told where a batch's samples are whenever the velocity is evaluated there: x of the samples from `first` on, at t. */
  readonly onVisit?: (x: Values, t: number | Float64Array, first: number) => void;
  /** Told what each evaluation has said. Nothing may change it or keep it: it is written over. */
  readonly onVelocity?: (evaluated: Evaluated) => void;
  /** Stops between two evaluations, with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** An evaluation of the velocity of a batch. */
export interface Evaluated {
  /** Where its samples, from `first` on, are: [B, ...shape of a sample]. */
  readonly x: Values;
  /** Of all samples, or of each of them. */
  readonly t: number | Float64Array;
  /** What the sampler goes by there, with guidance, as much as x. */
  readonly velocity: Values;
  readonly first: number;
}

/** The model's conditions of several samples, by name: [N, ...shape], row-major. */
export type ConditionValues = Readonly<Record<string, ArrayLike<number>>>;

/** Options with their defaults, checked. */
export interface SampleRequest {
  readonly count: number;
  readonly shape: Shape;
  readonly seed: number;
  readonly firstSample: number;
  readonly conditions: ConditionValues;
  readonly integrator: Integrator;
  readonly steps: number;
  readonly timeShift: number;
  readonly rtol: number;
  readonly atol: number;
  readonly maxEvaluations: number;
  readonly diffusion: (t: number) => number;
  readonly eta: number;
  readonly clip: number;
  readonly guidance: number;
  readonly guidanceInterval: readonly [low: number, high: number];
  readonly from: SampleOptions['from'];
}

/** What is integrated in float32 gains nothing from more, and would not end. */
const MOST_STEPS = 1_000_000;
/** Their index is an int32 of the programs that draw their noise. */
const MOST_SAMPLES = 2 ** 31 - 1;

/** @throws RectiflowError for options that do not fit the model, or that are of no use */
export function resolveRequest(
  model: VelocityModel,
  objective: Objective,
  options: SampleOptions,
): SampleRequest {
  const { count, seed, steps, conditions = {}, sampler, diffusion = 1, eta = 0, clip = 0 } = options;
  const { timeShift = 1, rtol = 1e-3, atol = 1e-3, maxEvaluations = 1000 } = options;
  const { guidance = 1, guidanceInterval = [0, 1], shape = model.sampleShape, firstSample = 0 } = options;
  const { from } = options;
  const isAbove0 = (value: number): boolean => value > 0 && value < Infinity;
  const check = (name: string, wanted: string, value: unknown, isRight: boolean): void => {
    if (!isRight) throw valueError('sample', name, wanted, value);
  };
  check('count', 'a positive integer', count, Number.isSafeInteger(count) && count > 0);
  const isPlace =
    Number.isSafeInteger(firstSample) && firstSample >= 0 && firstSample + count <= MOST_SAMPLES;
  check('firstSample', 'a whole number from 0, with the last sample below 2^31', firstSample, isPlace);
  check('steps', `at most ${MOST_STEPS}`, steps, !(steps > MOST_STEPS));
  check('timeShift', 'a number above 0', timeShift, isAbove0(timeShift));
  check('rtol', 'a number above 0', rtol, isAbove0(rtol));
  check('atol', 'a number above 0', atol, isAbove0(atol));
  const isEnough = Number.isSafeInteger(maxEvaluations) && maxEvaluations > 0;
  check('maxEvaluations', 'a positive integer', maxEvaluations, isEnough);
  const isDiffusion = typeof diffusion === 'function' || diffusion === 0 || isAbove0(diffusion);
  check('diffusion', 'a number from 0', diffusion, isDiffusion);
  check('eta', 'a number from 0 to 1', eta, eta >= 0 && eta <= 1);
  check('clip', 'a number from 0', clip, clip === 0 || isAbove0(clip));
  check('guidance', 'a finite number', guidance, Number.isFinite(guidance));
  const [low, high] = guidanceInterval;
  const interval = 'two times, 0 <= low <= high <= 1';
  check('guidanceInterval', interval, `[${low}, ${high}]`, 0 <= low && low <= high && high <= 1);
  const isTold = model.conditions.some(({ name, always }) => !always && conditions[name] !== undefined);
  const wanted = '1 without conditions: there is nothing to guide towards';
  check('guidance', wanted, guidance, guidance === 1 || isTold);
  checkConditions(model, conditions, count);
  checkShape(model, shape, 'sample');
  const integrator = samplerOf(objective, sampler);
  if (from) checkFrom(from, { elements: count * sizeOf(shape), steps, integrator });
  return {
    count,
    shape,
    seed,
    firstSample,
    conditions,
    integrator,
    steps,
    timeShift,
    rtol,
    atol,
    maxEvaluations,
    diffusion: typeof diffusion === 'function' ? diffusion : (t) => diffusion * t,
    eta,
    clip,
    guidance,
    guidanceInterval,
    from,
  };
}

function checkFrom(
  { x, done }: NonNullable<SampleOptions['from']>,
  {
    elements,
    steps,
    integrator,
  }: { readonly elements: number; readonly steps: number; readonly integrator: Integrator },
): void {
  if (integrator.takeStep === undefined)
    throw valueError(
      'sample',
      'from',
      'left out: this sampler has no steps that could be counted',
      `${done} steps`,
    );
  if (!Number.isSafeInteger(done) || done < 0 || done >= steps)
    throw valueError('sample', 'from.done', `a whole number from 0 to ${steps - 1}, below the steps`, done);
  if (x.length !== elements)
    throw valueError('sample', 'from.x', counted(elements, 'number'), counted(x.length, 'number'));
}

function checkConditions(model: VelocityModel, conditions: ConditionValues, count: number): void {
  for (const name of Object.keys(conditions)) {
    if (model.conditions.some((spec) => spec.name === name)) continue;
    throw valueError(
      'sample',
      name,
      'left out: the model was trained without',
      counted(conditions[name]!.length, 'value'),
    );
  }
  for (const spec of model.conditions) checkCondition(spec, conditions[spec.name], count);
}

function checkCondition(
  { name, shape, absent, limit }: ConditionSpec,
  values: ArrayLike<number> | undefined,
  count: number,
): void {
  if (values === undefined) return;
  const size = sizeOf(shape);
  if (values.length !== count * size) {
    const wanted = `${size === 1 ? 'one' : size} for each of ${counted(count, 'sample')}`;
    throw valueError('sample', name, wanted, counted(values.length, 'value'));
  }
  if (limit === undefined) return;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isInteger(value) && value >= 0 && (value < limit || value === absent[i % size])) continue;
    const wanted = `a whole number from 0 to ${limit - 1}`;
    throw valueError('sample', `${name} of sample ${Math.floor(i / size)}`, wanted, value);
  }
}
