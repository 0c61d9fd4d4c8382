// The integrators from noise at t = 1 down to data at t = 0. Those here take exactly as many steps as asked.
import type { DiffusionSamplerName } from './diffusion-samplers.ts';
import { dopri5 } from './dormand-prince.ts';
import { eulerMaruyama } from './euler-maruyama.ts';
import { descend, fixedSteps } from './fixed-steps.ts';
import type { Integrator } from './integrator.ts';

/** First order: x <- x - dt v(x, t). */
const euler: Integrator = fixedSteps(1, async (space, x, { t, dt }) =>
  descend(space, x, await space.velocity(x, t), dt),
);

/** Second order: an Euler step, then the step again with the mean of the velocities at both ends. */
const heun: Integrator = fixedSteps(2, async (space, x, { t, next, dt }) => {
  const v = await space.velocity(x, t);
  const ahead = await space.velocity(await descend(space, x, v, dt), next);
  return descend(space, await descend(space, x, v, dt / 2), ahead, dt / 2);
});

/** Second order: half an Euler step, then the whole step with the velocity found there. */
const midpoint: Integrator = fixedSteps(2, async (space, x, { t, dt }) => {
  const half = await descend(space, x, await space.velocity(x, t), dt / 2);
  return descend(space, x, await space.velocity(half, t - dt / 2), dt);
});

/** Fourth order, the classical method of Runge and Kutta (Kutta 1901): weights 1, 2, 2, 1 of 6. */
const rk4: Integrator = fixedSteps(4, async (space, x, { t, next, dt }) => {
  const middle = t - dt / 2;
  const k1 = await space.velocity(x, t);
  const k2 = await space.velocity(await descend(space, x, k1, dt / 2), middle);
  const k3 = await space.velocity(await descend(space, x, k2, dt / 2), middle);
  const k4 = await space.velocity(await descend(space, x, k3, dt), next);
  return space.advance(x, dt / 6, [
    [1, k1],
    [2, k2],
    [2, k3],
    [1, k4],
  ]);
});

export type SamplerName = 'euler' | 'heun' | 'midpoint' | 'rk4' | 'dopri5' | 'euler-maruyama';

/** Of any objective, by the name that configs and commands use. */
export type AnySamplerName = SamplerName | DiffusionSamplerName;

/** Those of flows. */
export const samplers: Readonly<Record<SamplerName, Integrator>> = {
  euler,
  heun,
  midpoint,
  rk4,
  dopri5,
  'euler-maruyama': eulerMaruyama,
};
