/** The exponential moving average of the weights, `ema <- decay * ema + (1 - decay) * weights`, which samples are made with. */
export interface EmaSettings {
  /** In [0, 1). */
  readonly decay: number;
  /** Start with a small decay, so that the first weights, which know nothing, are soon forgotten. */
  readonly ramp: boolean;
}

/**
 * The decay of a step: min(decay, (1 + n) / (10 + n)) with the ramp, where n is the number of optimizer steps done, the one
 * whose weights are averaged included. It is 2 / 11 at the first step and reaches 0.999 after about 9,000.
 * @param step n, 1 for the first step
 */
export function emaDecay(step: number, { decay, ramp }: EmaSettings): number {
  return ramp ? Math.min(decay, (1 + step) / (10 + step)) : decay;
}
