// Integrators of fixed steps are one function, a step, that is taken on the host or on a device.
import { advanceInto } from '../ops/advance.ts';
import { denoiseInto } from '../ops/denoise.ts';
import {
  type Integrator,
  type Space,
  type StochasticSettings,
  type TakeStep,
  type Values,
  type Velocity,
  stepsDown,
} from './integrator.ts';

/** An integrator whose steps can be taken anywhere. */
export interface FixedSteps extends Integrator {
  readonly evaluationsPerStep: number;
  readonly takeStep: TakeStep;
}

/** An integrator that takes this step again and again. */
export function fixedSteps(evaluationsPerStep: number, takeStep: TakeStep): FixedSteps {
  return {
    evaluationsPerStep,
    takeStep,
    async integrate(velocity, x1, integration) {
      const space = hostSpace(velocity, integration.stochastic);
      let x = x1;
      for (const step of stepsDown(integration)) x = await takeStep(space, x, step, integration);
      return x;
    },
  };
}

/** x - dt v */
export function descend<V>(space: Space<V>, x: V, v: V, dt: number): Promise<V> {
  return space.advance(x, dt, [[1, v]]);
}

/** Float32 numbers are rounded as a device's are; float64 ones are not. */
function hostSpace(velocity: Velocity, stochastic: StochasticSettings | undefined): Space<Values> {
  return {
    velocity,
    async advance(x, scale, slopes, noise) {
      const y = x.slice();
      advanceInto(y, x, scale, slopes, noise);
      return y;
    },
    async denoise(x, prediction, shares, clip) {
      const y = x.slice();
      denoiseInto(y, x, prediction, shares, clip);
      return y;
    },
    noise: async (step) => stochastic!.noise(step),
  };
}
