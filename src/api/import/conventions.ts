// What weights were trained to say, which the weights themselves do not tell.
export interface Convention {
  /** For the command line. */
  readonly summary: string;
  /** The model is fed timeScale t, or timeScale (1 - t). */
  readonly timeScale: number;
  readonly reverseTime: boolean;
  /** The target points from the noise to the data. */
  readonly isNegated: boolean;
  /** What a run of these weights goes on learning, and is sampled as, unless its config says otherwise. */
  readonly objective: 'rectified-flow' | 'ddpm';
}

export type ConventionName = 'rectiflow' | 'minrf' | 'sit' | 'ddpm';

export const conventions: Readonly<Record<ConventionName, Convention>> = {
  rectiflow: {
    summary: 'noise - data, noise at t = 1, fed 1000 t: what rectiflow trains',
    timeScale: 1000,
    reverseTime: false,
    isNegated: false,
    objective: 'rectified-flow',
  },
  minrf: {
    summary: 'noise - data, noise at t = 1, fed t (minRF, REPA)',
    timeScale: 1,
    reverseTime: false,
    isNegated: false,
    objective: 'rectified-flow',
  },
  sit: {
    summary: 'data - noise, noise at t = 0, fed t (SiT, LightningDiT)',
    timeScale: 1,
    reverseTime: true,
    isNegated: true,
    objective: 'rectified-flow',
  },
  ddpm: {
    summary: 'the noise, of 1000 timesteps with the linear schedule, fed 0 to 999 (DiT)',
    timeScale: 1000,
    reverseTime: false,
    isNegated: false,
    objective: 'ddpm',
  },
};
