// The integrators from noise at t = 1 down to data at t = 0. Those here take exactly as many steps as asked.
import type { DiffusionSamplerName } from './diffusion-samplers.ts';
import { dopri5 } from './dormand-prince.ts';
import { eulerMaruyama } from './euler-maruyama.ts';
import { type Integrator, descend, stepsDown } from './integrator.ts';

/** First order: x <- x - dt v(x, t). */
const euler: Integrator = {
  evaluationsPerStep: 1,
  async integrate(velocity, x1, integration) {
    let x = x1;
    for (const { t, dt } of stepsDown(integration)) {
      x = descend(x, await velocity(x, t), dt);
    }
    return x;
  },
};

/** Second order: an Euler step, then the step again with the mean of the velocities at both ends. */
const heun: Integrator = {
  evaluationsPerStep: 2,
  async integrate(velocity, x1, integration) {
    let x = x1;
    for (const { t, dt, next } of stepsDown(integration)) {
      const v = await velocity(x, t);
      const ahead = await velocity(descend(x, v, dt), next);
      x = descend(descend(x, v, dt / 2), ahead, dt / 2);
    }
    return x;
  },
};

/** Second order: half an Euler step, then the whole step with the velocity found there. */
const midpoint: Integrator = {
  evaluationsPerStep: 2,
  async integrate(velocity, x1, integration) {
    let x = x1;
    for (const { t, dt } of stepsDown(integration)) {
      const half = descend(x, await velocity(x, t), dt / 2);
      x = descend(x, await velocity(half, t - dt / 2), dt);
    }
    return x;
  },
};

/** Fourth order, the classical method of Runge and Kutta (Kutta 1901): weights 1, 2, 2, 1 of 6. */
const rk4: Integrator = {
  evaluationsPerStep: 4,
  async integrate(velocity, x1, integration) {
    let x = x1;
    for (const { t, dt, next } of stepsDown(integration)) {
      const middle = t - dt / 2;
      const k1 = await velocity(x, t);
      const k2 = await velocity(descend(x, k1, dt / 2), middle);
      const k3 = await velocity(descend(x, k2, dt / 2), middle);
      const k4 = await velocity(descend(x, k3, dt), next);
      x = x.map((value, i) => value - (dt / 6) * (k1[i]! + 2 * k2[i]! + 2 * k3[i]! + k4[i]!));
    }
    return x;
  },
};

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
