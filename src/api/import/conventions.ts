// What weights were trained to say, which the weights themselves do not tell.
export interface Convention {
  /** For the command line. */
  readonly summary: string;
  /** The model is fed timeScale t, or timeScale (1 - t). */
  readonly timeScale: number;
  readonly reverseTime: boolean;
  /** The target points from the noise to the data. */
  readonly isNegated: boolean;
}

export type ConventionName = 'rectiflow' | 'minrf' | 'sit' | 'ddpm';

export const conventions: Readonly<Record<ConventionName, Convention>> = {
  rectiflow: {
    summary: 'noise - data, noise at t = 1, fed 1000 t: what rectiflow trains',
    timeScale: 1000,
    reverseTime: false,
    isNegated: false,
  },
  minrf: {
    summary: 'noise - data, noise at t = 1, fed t (minRF, REPA)',
    timeScale: 1,
    reverseTime: false,
    isNegated: false,
  },
  sit: {
    summary: 'data - noise, noise at t = 0, fed t (SiT, LightningDiT)',
    timeScale: 1,
    reverseTime: true,
    isNegated: true,
  },
  ddpm: {
    summary: 'the noise, fed 0 to 999 (DiT): weights to start from, not to sample with',
    timeScale: 999,
    reverseTime: false,
    isNegated: false,
  },
};
