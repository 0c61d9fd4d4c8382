import type { ImageShape } from '../data/source.ts';
import type { RunConfig } from '../config/config.ts';

/** DDPM, and what it is compared with: rectified flow, or the objective of a program's own. */
export type ComparedKind = RunConfig['flow']['objective']['kind'];

export interface ObjectiveRow {
  readonly objective: ComparedKind;
  readonly sampler: string;
  /** Of the model, per sample. */
  readonly evaluations: number;
  /** The energy distance from samples without guidance to the data. */
  readonly distance: number;
  /** What the run shows, with its guidance: [N, ...shape], of latents the pictures that they were decoded to. */
  readonly shown: Float32Array;
}

export interface MeasuredObjective {
  readonly objective: ComparedKind;
  /** The folder of its run. */
  readonly run: string;
  /** By step, as it was logged. Those of two objectives are errors of different things. */
  readonly losses: readonly (readonly [step: number, loss: number])[];
}

/** What a comparison of objectives found. */
export interface MeasuredObjectives {
  readonly config: RunConfig;
  readonly objectives: readonly MeasuredObjective[];
  readonly rows: readonly ObjectiveRow[];
  /** [C, H, W] of what the rows show; undefined where that is no pictures. */
  readonly pictures: ImageShape | undefined;
  /** The energy distance between as many samples of the data and as many others: what cannot be beaten. */
  readonly dataDistance: number;
  /** How many samples distances were measured with. */
  readonly count: number;
}
