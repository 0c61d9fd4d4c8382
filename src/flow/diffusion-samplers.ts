// Samplers of models that predict the noise. They go down the timesteps of the diffusion, all of them or some.
import { valueError } from '../tensor/errors.ts';
import { type Integration, type Integrator, type Values, stepsDown } from './integrator.ts';

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
  const sampler = (etaOf: (integration: Integration) => number): Integrator => ({
    evaluationsPerStep: 1,
    async integrate(predictNoise, x1, integration) {
      const eta = etaOf(integration);
      const { clip = 0 } = integration;
      const timesteps = alphaBar.length;
      if (integration.steps > timesteps) {
        const wanted = `at most ${timesteps}, the timesteps of the diffusion`;
        throw valueError('sample', 'steps', wanted, integration.steps);
      }
      /** Timesteps below a time and at it: 0 only at the end. */
      const count = (t: number): number => (t === 0 ? 0 : Math.max(1, Math.round(t * timesteps)));
      const shareOfData = (steps: number): number => (steps === 0 ? 1 : alphaBar[steps - 1]!);
      let x = x1;
      let step = 0;
      for (const { t, next } of stepsDown(integration)) {
        step++;
        const from = count(t);
        const [a, b] = [shareOfData(from), shareOfData(count(next))];
        const noise = await predictNoise(x, (from - 1) / timesteps);
        const sigma = eta * Math.sqrt(((1 - b) / (1 - a)) * (1 - a / b));
        x = stepDown(x, noise, { a, b, sigma, clip });
        if (sigma > 0) x = addNoise(x, sigma, integration.stochastic!.noise(step));
      }
      return x;
    },
  });
  return { ddim: sampler(({ eta = 0 }) => eta), ancestral: sampler(() => 1) };
}

interface StepDown {
  readonly a: number;
  readonly b: number;
  readonly sigma: number;
  readonly clip: number;
}

function stepDown(x: Values, noise: Values, { a, b, sigma, clip }: StepDown): Values {
  const limit = clip === 0 ? Infinity : clip;
  const toNext = Math.sqrt(1 - b - sigma ** 2);
  return x.map((value, i) => {
    const foreseen = (value - Math.sqrt(1 - a) * noise[i]!) / Math.sqrt(a);
    const data = Math.min(limit, Math.max(-limit, foreseen));
    return Math.sqrt(b) * data + (toNext * (value - Math.sqrt(a) * data)) / Math.sqrt(1 - a);
  });
}

function addNoise(x: Values, sigma: number, z: Values): Values {
  return x.map((value, i) => value + sigma * z[i]!);
}
