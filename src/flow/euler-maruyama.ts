import { valueError } from '../tensor/errors.ts';
import { descend, fixedSteps } from './fixed-steps.ts';
import type { Integrator } from './integrator.ts';

/**
 * Euler-Maruyama steps of an SDE that has the same distributions of x_t as the flow (Ma et al. 2024, SiT, arXiv:2401.08740,
 * section 2.3; Song et al. 2021, arXiv:2011.13456), in reverse time:
 *
 *     dx = (v - w/2 score) dt + sqrt(w) dW,  w = w(t) >= 0
 *
 * The score follows from the velocity. Of x_t = (1 - t) x0 + t x1 with x1 ~ N(0, I) it is -E[x1 | x_t] / t; and since
 * v = E[x1 - x0 | x_t], x_t + (1 - t) v = E[x1 | x_t]. So
 *
 *     score = -(x + (1 - t) v) / t
 *
 * and a step down from t is x <- x - dt (v + w/2 (x + (1 - t) v) / t) + sqrt(w dt) z. Noise that is added corrects errors of
 * earlier steps, and costs more steps than the flow. The last step adds none, because nothing after it would take it away again:
 * it ends at the mean of the data given x, as an Euler step does. With w = 0 all steps are Euler's, bit for bit.
 */
export const eulerMaruyama: Integrator = fixedSteps(
  1,
  async (space, x, { index, t, next, dt }, integration) => {
    const { diffusion } = integration.stochastic!;
    const v = await space.velocity(x, t);
    const w = next > 0 ? diffusion(t) : 0;
    if (!(w >= 0 && w < Infinity)) throw valueError('sample', `diffusion at t = ${t}`, 'a number from 0', w);
    const flowed = await descend(space, x, v, dt);
    if (w === 0) return flowed;
    const [drift, deviation] = [(dt * w) / (2 * t), Math.sqrt(w * dt)];
    const towardsNoise = [
      [1, x],
      [1 - t, v],
    ] as const;
    return space.advance(flowed, drift, towardsNoise, [deviation, await space.noise(index)]);
  },
);
