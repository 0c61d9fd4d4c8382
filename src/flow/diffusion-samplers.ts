// Samplers of models that predict the noise. They go down the timesteps of the diffusion, all of them or some.
import { valueError } from '../tensor/errors.ts';
import { descend, fixedSteps } from './fixed-steps.ts';
import type { Integration, Integrator } from './integrator.ts';

export type DiffusionSamplerName = 'ddim' | 'ancestral';

export const diffusionSamplerNames: readonly DiffusionSamplerName[] = ['ddim', 'ancestral'];

/**
 * Song, Meng & Ermon 2021 (arXiv:2010.02502), eq. 12 and 16. With a for alpha-bar at the timestep, b for that at the next one
 * down, and 1 at the end:
 *
 *     data   = (x - sqrt(1 - a) noise(x)) / sqrt(a)
 *     x     <- sqrt(b) data + sqrt(1 - b - sigma^2) noise(x) + sigma z
 *     sigma^2 = eta^2 (1 - b) / (1 - a) (1 - a / b)
 *
 * - `ddim`: eta 0 by default, which draws nothing.
 * - `ancestral`: eta 1, the posterior of the chain (Ho et al. 2020, eq. 7, the smaller of their variances).
 *
 * Errors of the noise are errors of the data 1 / sqrt(a) times as large, a hundred times at the first step. So data that are
 * known to lie in [-clip, clip] are kept there, and the noise follows from them and x (as in the code of Ho et al.).
 *
 * Steps are equal and begin at the last timestep, T - 1.
 * @param alphaBar [T]
 */
export function diffusionSamplers(alphaBar: Float64Array): Record<DiffusionSamplerName, Integrator> {
  const timesteps = alphaBar.length;
  /** Timesteps below a time and at it: 0 only at the end. */
  const count = (t: number): number => (t === 0 ? 0 : Math.max(1, Math.round(t * timesteps)));
  const shareOfData = (steps: number): number => (steps === 0 ? 1 : alphaBar[steps - 1]!);
  const sampler = (etaOf: (integration: Integration) => number): Integrator =>
    fixedSteps(1, async (space, x, { index, t, next }, integration) => {
      const { steps, clip = 0 } = integration;
      if (steps > timesteps) {
        throw valueError('sample', 'steps', `at most ${timesteps}, the timesteps of the diffusion`, steps);
      }
      const from = count(t);
      const [a, b] = [shareOfData(from), shareOfData(count(next))];
      const noise = await space.velocity(x, (from - 1) / timesteps);
      const sigma = etaOf(integration) * Math.sqrt(((1 - b) / (1 - a)) * (1 - a / b));
      const shares = {
        data: Math.sqrt(a),
        noise: Math.sqrt(1 - a),
        nextData: Math.sqrt(b),
        nextNoise: Math.sqrt(1 - b - sigma ** 2),
      };
      const denoised = await space.denoise(x, noise, shares, clip);
      return sigma > 0 ? descend(space, denoised, await space.noise(index), -sigma) : denoised;
    });
  return { ddim: sampler(({ eta = 0 }) => eta), ancestral: sampler(() => 1) };
}
