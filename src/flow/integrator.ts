// What an integrator of dx/dt = v(x, t) from noise at t = 1 down to data at t = 0 is, and what those of fixed steps share.
import type { Weighted } from '../ops/advance.ts';
import type { Shares } from '../ops/denoise.ts';
import { valueError } from '../tensor/errors.ts';
import { shiftTime } from './time-shift.ts';

/** float64 is for tests of how fast errors fall: a model's velocity is float32. */
export type Values = Float32Array | Float64Array;

/**
 * The velocity at x, or whatever else the sampler of an objective goes by, of as many elements as x. Must not keep or change x.
 * @param t of all samples, or of each of them
 */
export type Velocity = (x: Values, t: number | Float64Array) => Promise<Values>;

/** How to integrate. An integrator says which of these it looks at. */
export interface Integration {
  /** A positive integer. */
  readonly steps: number;
  /** Equal steps are in u, t = shift u / (1 + (shift - 1) u): above 1, more of them are near noise. 1, the default, is t = u. */
  readonly timeShift?: number;
  /** Of the steps, how many x has behind it already; 0 by default. Means nothing to `dopri5`. */
  readonly done?: number;
  /** Of `dopri5`. */
  readonly adaptive?: AdaptiveSettings;
  /** Of `ddim`: how much noise is added on the way, from none, 0, to as much as `ancestral` does, 1. */
  readonly eta?: number;
  /** Of `ddim` and `ancestral`: data are foreseen within [-clip, clip]; 0, the default: wherever they are. */
  readonly clip?: number;
  /** Of `euler-maruyama`, `ddim` and `ancestral`. */
  readonly stochastic?: StochasticSettings;
}

export interface AdaptiveSettings {
  /** The error of a step that is taken is, as a root mean square over the sample, at most atol + rtol |x|. */
  readonly rtol: number;
  readonly atol: number;
  /** Evaluations of the velocity after which to give up. */
  readonly maxEvaluations: number;
  /** Numbers of a sample: each one has steps of its own. All of x by default. */
  readonly elements?: number;
  /** How many samples, from the first, are wanted. The others are left as they are. All by default. */
  readonly wanted?: number;
  /** Told which share of the way from t = 1 to 0 all samples have gone. */
  readonly onCovered?: (share: number) => void;
}

export interface StochasticSettings {
  /** Of `euler-maruyama`: w(t), the variance that noise adds per unit of time, from 0; see `eulerMaruyama`. */
  readonly diffusion: (t: number) => number;
  /** Standard normal numbers, as many as x has, for a step; 1 for the first. */
  readonly noise: (step: number) => Values;
}

export interface Integrator {
  /** Evaluations of the velocity per step; undefined where tolerances decide on the steps. */
  readonly evaluationsPerStep: number | undefined;
  /**
   * @param x1 noise; is not changed
   * @returns x at t = 0
   */
  integrate(velocity: Velocity, x1: Values, integration: Integration): Promise<Values>;
  /**
   * A step, for those who can take it anywhere; see `fixedSteps`. With it samples stay on the device from noise to data, without it
   * they go to and fro at every evaluation.
   */
  readonly takeStep?: TakeStep;
}

/** From x at `step.t` to where it is at `step.next`. */
export type TakeStep = <V>(space: Space<V>, x: V, step: Step, integration: Integration) => Promise<V>;

/** What steps are made of, and where: V are arrays of the host, or memory of a device. Nothing changes what it is given. */
export interface Space<V> {
  /** What a `Velocity` says. @param t of all samples */
  velocity(x: V, t: number): Promise<V>;
  /** x - scale (w1 v1 + w2 v2 + ...) + deviation z, in float64, rounded once. */
  advance(x: V, scale: number, slopes: readonly Weighted<V>[], noise?: Weighted<V>): Promise<V>;
  /** A step by the noise that is predicted to be in x, as the op `denoise` takes it. @param clip from 0, which is none */
  denoise(x: V, prediction: V, shares: Shares, clip: number): Promise<V>;
  /** Standard normal numbers, as many as x has, for a step. */
  noise(step: number): Promise<V>;
}

export interface Step {
  /** 1 for the first. */
  readonly index: number;
  /** Where it begins and ends, t > next. */
  readonly t: number;
  readonly next: number;
  readonly dt: number;
}

/**
 * Steps that are equal before the time shift. Their ends are counted, not accumulated, so that the last one ends at exactly 0.
 * @throws RectiflowError where steps is no positive integer
 */
export function* stepsDown({ steps, timeShift = 1, done = 0 }: Integration): Generator<Step> {
  if (!Number.isSafeInteger(steps) || steps < 1)
    throw valueError('sample', 'steps', 'a positive integer', steps);
  for (let left = steps - done; left > 0; left--) {
    const t = shiftTime(left / steps, timeShift);
    const next = shiftTime((left - 1) / steps, timeShift);
    // The difference is one rounding off where steps are equal.
    yield { index: steps - left + 1, t, next, dt: timeShift === 1 ? 1 / steps : t - next };
  }
}
