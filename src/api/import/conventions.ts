// What weights were trained to say, which the weights themselves do not tell.
import type { ResolvedDiTConfig } from '../../models/dit-config.ts';

export interface Convention {
  /** For the command line. */
  readonly summary: string;
  /** Of the model: what it is fed. */
  readonly settings: Pick<ResolvedDiTConfig, 'timeScale' | 'reverseTime'>;
  /** The target points from the noise to the data. */
  readonly isNegated: boolean;
  /** What a run of these weights goes on learning, and is sampled as, unless its config says otherwise. */
  readonly objective: 'rectified-flow' | 'ddpm';
}

export type ConventionName = 'rectiflow' | 'minrf' | 'sit' | 'ddpm';

export const conventions: Readonly<Record<ConventionName, Convention>> = {
  rectiflow: {
    summary: 'noise - data, noise at t = 1, fed 1000 t: what rectiflow trains',
    settings: { timeScale: 1000, reverseTime: false },
    isNegated: false,
    objective: 'rectified-flow',
  },
  minrf: {
    summary: 'noise - data, noise at t = 1, fed t (minRF, REPA)',
    settings: { timeScale: 1, reverseTime: false },
    isNegated: false,
    objective: 'rectified-flow',
  },
  sit: {
    summary: 'data - noise, noise at t = 0, fed t (SiT, LightningDiT)',
    settings: { timeScale: 1, reverseTime: true },
    isNegated: true,
    objective: 'rectified-flow',
  },
  ddpm: {
    summary: 'the noise, of 1000 timesteps with the linear schedule, fed 0 to 999 (DiT)',
    settings: { timeScale: 1000, reverseTime: false },
    isNegated: false,
    objective: 'ddpm',
  },
};
