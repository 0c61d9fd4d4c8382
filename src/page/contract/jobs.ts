// What takes a while, in processes of their own.
import type { Json } from './common.ts';

/** What is left out is as the run's config says. */
export interface SampleRequest {
  /** By number, or by name. */
  readonly labels?: readonly (number | string)[];
  readonly prompts?: readonly string[];
  readonly guidance?: number;
  readonly sampler?: string;
  readonly steps?: number;
  readonly seed?: number;
  /** Of each label or prompt; 8 by default. */
  readonly count?: number;
  readonly emaLength?: number;
  /** `ema`, `model`, or the name of a further average. */
  readonly weights?: string;
  /** The step of one; the last by default. */
  readonly checkpoint?: number;
}

export interface SampleResult {
  /** Of the checkpoint. */
  readonly step: number;
  readonly count: number;
  /** At /api/jobs/:id/picture; false where samples are no pictures. */
  readonly hasPicture: boolean;
  /** What they were made with; the picture's PNG text has it too. */
  readonly made: Json;
}

/** Of one sample: one label or prompt at most. */
export type PathRequest = Omit<SampleRequest, 'count'>;

/** How one sample comes out of noise: of `rectiflow sample --path`. */
export interface PathResult {
  /** Of the checkpoint. */
  readonly step: number;
  /** The name of its class, or its prompt; null of a model that is told nothing. */
  readonly title: string | null;
  /** From noise, 1, to data, 0, where there is no velocity any more. */
  readonly times: readonly {
    readonly t: number;
    /** The root mean square of the velocity's numbers. */
    readonly speed: number | null;
    /** Degrees between the velocity and the straight line from data to noise. */
    readonly angle: number | null;
  }[];
  /** Null where samples are no pictures. */
  readonly pictures: PathPictures | null;
  /** What it was made with; the picture's PNG text has it too. */
  readonly made: Json;
}

/** Where the pictures of a path are in that at /api/jobs/:id/picture: row by row, those of the first time, then those of the next. */
export interface PathPictures {
  /** What the pictures of a time show, in their order. Latents that were decoded have no velocity. */
  readonly rows: readonly ('state' | 'velocity' | 'foreseen')[];
  /** Pixels of each. */
  readonly width: number;
  readonly height: number;
  /** How many are beside each other. */
  readonly columns: number;
}

/** How far the paths of a run's samples are from straight lines: of `rectiflow straightness`. */
export interface StraightnessResult {
  /** Of the checkpoint. */
  readonly step: number;
  readonly count: number;
  /** Of Euler, along each path. */
  readonly steps: number;
  /** E |(Z1 - Z0) - dZt/dt|^2 over E |Z1 - Z0|^2: 0 is straight. */
  readonly relative: number;
  readonly byTime: readonly { readonly t: number; readonly relative: number }[];
}

/** A training that is begun, or looked at before. */
export interface ConfigRequest {
  /** Either the name of a recipe, */
  readonly recipe?: string;
  /** or the text of a config in YAML or JSON. */
  readonly text?: string;
  /** As `--set` takes them: `train.steps=100`. */
  readonly settings?: readonly string[];
}

export interface PlanRequest extends ConfigRequest {
  /** About how long steps are timed; 15 by default, 0 for not at all. */
  readonly seconds?: number;
  readonly machine?: string;
}

export interface StartedTraining {
  /** Of its process. */
  readonly pid: number;
  /** Null as long as it has no folder. */
  readonly run: string | null;
  /** ISO 8601. */
  readonly started: string;
  readonly state: 'starting' | 'running' | 'ended';
  /** Of one that has ended; null where a signal ended it. */
  readonly exitCode: number | null;
  /** The last lines that it printed; all of it is in output.log of the run's folder. */
  readonly output: string;
}

export interface StartedList {
  readonly started: readonly StartedTraining[];
}

export interface DoctorResult {
  readonly checks: readonly {
    readonly name: string;
    readonly status: 'ok' | 'warn' | 'fail';
    readonly text: string;
  }[];
}

export interface PlanResult {
  /** As `rectiflow plan --json` prints it. */
  readonly plan: Json;
}

export interface DataCheckResult {
  /** As `rectiflow data check --json` prints it. */
  readonly report: Json;
}

export interface JobStarted {
  readonly job: string;
}

export type JobKind = 'sample' | 'path' | 'straightness' | 'doctor' | 'plan' | 'data-check';

export interface Job {
  readonly id: string;
  readonly kind: JobKind;
  /** Of a job of a run: its name. */
  readonly run: string | null;
  /** ISO 8601. */
  readonly started: string;
  readonly state: 'waiting' | 'running' | 'done' | 'failed' | 'stopped';
  /** What is under way, and how much of it is done; `total` is 0 where that is not known. */
  readonly progress: { readonly what: string; readonly done: number; readonly total: number };
  /** What the user should read. */
  readonly notices: readonly string[];
  /** Of one that is done: `SampleResult`, `PathResult`, `StraightnessResult`, `DoctorResult`, `PlanResult` or `DataCheckResult`, by its kind. */
  readonly result:
    | Json
    | SampleResult
    | PathResult
    | StraightnessResult
    | DoctorResult
    | PlanResult
    | DataCheckResult;
  /** Of one that failed. */
  readonly error: string | null;
}

/** `job`: whenever something of it changes; the last one is done, failed or stopped. */
export interface JobEvent {
  readonly type: 'job';
  readonly job: Job;
}

export interface JobList {
  readonly jobs: readonly Job[];
}
