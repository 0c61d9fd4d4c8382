/** The exponential moving average of the weights, `ema <- decay * ema + (1 - decay) * weights`, which samples are made with. */
export interface EmaSettings {
  /** In [0, 1). */
  readonly decay: number;
  /** Start with a small decay, so that the first weights, which know nothing, are soon forgotten. */
  readonly ramp: boolean;
}

/** Averages beside the one of `decay`. */
export interface FurtherAverages {
  /** Decays, with the ramp where there is one. */
  readonly decays: readonly number[];
  /** Lengths of power-function averages, as `powerOf` takes them. */
  readonly power: readonly number[];
}

export interface Average {
  /** `0.999` for a decay, `power-0.05` for a length. */
  readonly name: string;
  /** 1 - decay. @param step 1 for the first */
  weightAt(step: number): number;
}

/**
 * How much of the new weights the average takes up, 1 less the decay of the step: that is min(decay, (1 + n) / (10 + n)) with the
 * ramp, where n is the number of optimizer steps done, the one whose weights are averaged included, 2 / 11 at the first step and
 * 0.999 after about 9,000. The weight is what is worked out and sent to a backend: a decay near 1 has few digits of it.
 * @param step n, 1 for the first step
 */
export function emaWeight(step: number, { decay, ramp }: EmaSettings): number {
  return ramp ? Math.max(1 - decay, 9 / (10 + step)) : 1 - decay;
}

/**
 * The same for a power-function average, 1 - (1 - 1 / t)^(gamma + 1) (Karras et al. 2024, section 3.1). After step t, the
 * weights of step s then count by s^(gamma + 1) - (s - 1)^(gamma + 1): the average has no time scale of its own, it always covers
 * the same share of the training so far, and the first weights are forgotten without a ramp.
 * @param step t, 1 for the first step
 */
export function powerWeight(step: number, gamma: number): number {
  return -Math.expm1((gamma + 1) * Math.log1p(-1 / step));
}

/** The length of the plain mean, gamma = 0; profiles that are longer would prefer the first weights to the last. */
export const longestPower: number = 1 / Math.sqrt(12);

/**
 * The exponent gamma of a power-function average of relative length sigma, the standard deviation of its profile over the time t:
 * sigma^2 = (gamma + 1) / ((gamma + 2)^2 (gamma + 3)) (Karras et al. 2024, appendix C), 0.05 for gamma = 16.97 and 0.1 for 6.94.
 * @param length sigma, above 0, at most `longestPower`
 */
export function powerOf(length: number): number {
  // The largest root of gamma^3 + 7 gamma^2 + (16 - s) gamma + 12 - s. The cubic is convex from there to the right, and positive
  // at 1 / sigma, so that Newton's method goes down to the root and ends where rounding stops it.
  const s = length ** -2;
  let gamma = 1 / length;
  for (;;) {
    const value = ((gamma + 7) * gamma + 16 - s) * gamma + 12 - s;
    const slope = (3 * gamma + 14) * gamma + 16 - s;
    const next = gamma - value / slope;
    if (!(next < gamma)) return gamma;
    gamma = next;
  }
}

const powerPrefix = 'power-';

/** What a power-function average is called. */
export function powerName(length: number): string {
  return `${powerPrefix}${length}`;
}

/** The length in the name of a power-function average; undefined for the name of another average. */
export function powerLength(name: string): number | undefined {
  return name.startsWith(powerPrefix) ? Number(name.slice(powerPrefix.length)) : undefined;
}

/** The averages beside the one of `decay`. */
export function furtherAverages({ decays, power, ramp }: FurtherAverages & EmaSettings): Average[] {
  return [
    ...decays.map((decay) => ({
      name: String(decay),
      weightAt: (step: number) => emaWeight(step, { decay, ramp }),
    })),
    ...power.map((length) => {
      const gamma = powerOf(length);
      return { name: powerName(length), weightAt: (step: number) => powerWeight(step, gamma) };
    }),
  ];
}
