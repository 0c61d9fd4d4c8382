// Integrators of dx/dt = v(x, t) from noise at t = 1 down to data at t = 0, in exactly as many steps as asked.
import { RectiflowError, valueError } from '../tensor/errors.ts';
import { didYouMean } from '../tensor/suggest.ts';

/** The velocity at x, of as many elements as x. Must not keep or change x. */
export type Velocity = (x: Float32Array, t: number) => Promise<Float32Array>;

export interface Integrator {
  /** Evaluations of the velocity per step. */
  readonly evaluationsPerStep: number;
  /**
   * @param x1 noise; is not changed
   * @param steps a positive integer
   * @returns x at t = 0
   */
  integrate(velocity: Velocity, x1: Float32Array, steps: number): Promise<Float32Array>;
}

/** First order: x <- x - dt v(x, t). */
const euler: Integrator = {
  evaluationsPerStep: 1,
  async integrate(velocity, x1, steps) {
    let x = x1;
    for (const { t, dt } of stepsDown(steps)) {
      x = descend(x, await velocity(x, t), dt);
    }
    return x;
  },
};

/** Second order: an Euler step, then the step again with the mean of the velocities at both ends. */
const heun: Integrator = {
  evaluationsPerStep: 2,
  async integrate(velocity, x1, steps) {
    let x = x1;
    for (const { t, dt, next } of stepsDown(steps)) {
      const v = await velocity(x, t);
      const ahead = await velocity(descend(x, v, dt), next);
      x = descend(descend(x, v, dt / 2), ahead, dt / 2);
    }
    return x;
  },
};

export type SamplerName = 'euler' | 'heun';

/** Every sampler there is, by the name that configs and commands use. */
export const samplers: Readonly<Record<SamplerName, Integrator>> = { euler, heun };

/** @throws RectiflowError that lists the samplers and guesses the one that was meant */
export function samplerByName(name: string): Integrator {
  if (Object.hasOwn(samplers, name)) return samplers[name as SamplerName];
  const known = Object.keys(samplers);
  throw new RectiflowError(
    'value',
    `sampler: must be one of ${known.join(', ')}, got "${name}".${didYouMean(name, known)}`,
  );
}

/** Equal steps whose ends are counted, not accumulated, so that the last one ends at exactly 0. */
function* stepsDown(steps: number): Generator<{ t: number; next: number; dt: number }> {
  if (!Number.isSafeInteger(steps) || steps < 1)
    throw valueError('sample', 'steps', 'a positive integer', steps);
  for (let left = steps; left > 0; left--) yield { t: left / steps, next: (left - 1) / steps, dt: 1 / steps };
}

/** x - dt v */
function descend(x: Float32Array, v: Float32Array, dt: number): Float32Array {
  return x.map((value, i) => value - dt * v[i]!);
}
