/** How the share of the data shrinks from step to step of a diffusion (Ho et al. 2020, arXiv:2006.11239). */
export interface NoiseSchedule {
  /**
   * - `linear` (Ho et al. 2020, section 4): beta from 1e-4 to 0.02 for 1000 timesteps; for T of them 1000 / T as much, so that
   *   as little of the data is left at the end.
   * - `cosine` (Nichol & Dhariwal 2021, arXiv:2102.09672, eq. 17): destroys less at first. For small images most of all.
   */
  readonly schedule: 'linear' | 'cosine';
  /** T, at least 2. */
  readonly timesteps: number;
}

/** A beta of 1 would leave nothing to divide by (Nichol & Dhariwal 2021, section 3.2). */
const mostBeta = 0.999;

/**
 * alpha-bar of the timesteps 0 to T - 1: the share of the data in the variance of x_t (Ho et al. 2020, eq. 4).
 * @returns [T], falling, in (0, 1)
 */
export function alphaBars({ schedule, timesteps }: NoiseSchedule): Float64Array {
  const beta = schedule === 'linear' ? linearBeta(timesteps) : cosineBeta(timesteps);
  let product = 1;
  return Float64Array.from({ length: timesteps }, (_, step) => {
    product *= 1 - Math.min(mostBeta, beta(step));
    return product;
  });
}

function linearBeta(timesteps: number): (step: number) => number {
  const [first, last] = [0.1 / timesteps, 20 / timesteps];
  return (step) => first + (step / (timesteps - 1)) * (last - first);
}

function cosineBeta(timesteps: number): (step: number) => number {
  const offset = 0.008;
  const f = (step: number): number =>
    Math.cos((((step / timesteps + offset) / (1 + offset)) * Math.PI) / 2) ** 2;
  return (step) => 1 - f(step + 1) / f(step);
}
