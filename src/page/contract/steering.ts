// What a run that trains is asked.
import type { Json } from './common.ts';
import type { SampleRequest } from './jobs.ts';

/** What a run that trains is asked. */
export type SteerRequest =
  | { readonly kind: 'pause' | 'goOn' | 'save' | 'stop' }
  | { readonly kind: 'set'; readonly settings: SteerSettings }
  /** Samples with the weights of the step, made in the process that trains; the answer comes when they are made. */
  | { readonly kind: 'sample'; readonly samples: Omit<SampleRequest, 'emaLength' | 'checkpoint'> };

/** Settings for the rest of the run; what is left out stays. */
export interface SteerSettings {
  /** The peak of the schedule. */
  readonly learningRate?: number;
  /** In steps; 0 for never. */
  readonly sampleEvery?: number;
  readonly checkpointEvery?: number;
  readonly logEvery?: number;
  /** Of the run's grids: labels, prompts, guidance, sampler, steps, seed, ... as its config has them. */
  readonly sample?: { readonly [name: string]: Json };
}

/** A line of events.jsonl. */
export interface SteeringEvent {
  readonly id: string;
  /** The last step done before it takes effect. */
  readonly step: number;
  /** ISO 8601. */
  readonly time: string;
  readonly kind: 'pause' | 'goOn' | 'save' | 'stop' | 'set' | 'sample';
  readonly settings?: SteerSettings;
  /** Of samples: their settings; and the files, as paths in the run's folder, of which a picture is at /api/runs/:run/asked/:file. */
  readonly samples?: Json;
  readonly made?: { readonly count: number; readonly folder: string; readonly view: string };
  readonly outcome: 'applied' | 'refused';
  /** Of one that is refused: why. Of samples: what to know of them. */
  readonly sentence?: string;
}
