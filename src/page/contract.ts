// Every request that the page sends, and every answer that it gets: types alone, which the server and the page both import. They stand
// by themselves, so that the page needs nothing else of the package.
//
// A request without `Authorization: Bearer <token>` is answered with 401, one from another site or by another name of the server with
// 403, and each that fails with `Failure`. `:run` is the name of a folder directly below the folder of runs, `encodeURIComponent`ed.
//
//     GET  /api/runs                        RunList
//     GET  /api/runs/:run                   RunDetails
//     GET  /api/runs/:run/series            SeriesAnswer; query: SeriesQuery
//     GET  /api/runs/:run/live              text/event-stream of LiveEvents; header Last-Event-ID: a LivePosition to go on from
//     GET  /api/runs/:run/samples/:file     image/png
//     GET  /api/runs/:run/asked/:file       image/png: samples that were asked for while it trained
//     GET  /api/runs/:run/preview           image/png: the first samples that this run reads, drawn at the first request
//     GET  /api/machine                     MachineAnswer
//     GET  /api/compare?runs=a&runs=b       Comparison
//     GET  /api/recipes                     RecipeList
//     POST /api/runs/:run/steer             SteerRequest -> SteeringEvent
//     POST /api/runs/:run/sample            SampleRequest -> JobStarted, a job of SampleResult
//     POST /api/start                       ConfigRequest -> StartedTraining
//     GET  /api/started                     StartedList
//     POST /api/doctor                      ConfigRequest -> JobStarted, a job of DoctorResult
//     POST /api/plan                        PlanRequest -> JobStarted, a job of PlanResult
//     POST /api/data/check                  ConfigRequest -> JobStarted, a job of DataCheckResult
//     GET  /api/jobs                        JobList
//     GET  /api/jobs/:id                    Job; with Accept: text/event-stream, a stream of JobEvents that ends with the job
//     GET  /api/jobs/:id/picture            image/png: of a sample job that is done
//     DELETE /api/jobs/:id                  Job; stops it

/** A number of a log. NaN and infinities, which JSON lacks, go by their names. */
export type Num = number | 'NaN' | 'Infinity' | '-Infinity';

/** Any JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** The answer to whatever fails. */
export interface Failure {
  /** A sentence for people: what is wrong, and what to do. */
  readonly error: string;
}

// --- Runs ---

/**
 * training: a process trains it. paused: one holds it, and waits. finished: all steps are done. stopped: no process trains it, and it can
 * be resumed. failed: the process that trained it ended without giving it back: it was killed, or the machine went down; it can be resumed
 * as well. damaged: what is in the folder cannot be read.
 */
export type RunState = 'training' | 'paused' | 'stopped' | 'finished' | 'failed' | 'damaged';

/** A run of the list. What is null is not known. Names and texts may hold anything: show them as text. */
export interface RunSummary {
  /** Of its folder. */
  readonly name: string;
  /** ISO 8601. */
  readonly created: string | null;
  readonly state: RunState;
  /** The state in words: of a damaged run, what is wrong with it. */
  readonly sentence: string;
  /** The last that was logged; 0 where none was. */
  readonly step: number;
  /** As many as the run is to do. */
  readonly steps: number | null;
  readonly epoch: number | null;
  readonly loss: Num | null;
  /** Of a run that trains: of training still to come, by its own pace. */
  readonly secondsLeft: number | null;
  /** Of training so far. */
  readonly seconds: number | null;
  readonly samplesPerSecond: number | null;
  /** When the log was written to last; ISO 8601. */
  readonly updated: string | null;
  /** The file of its last grid of samples. */
  readonly picture: string | null;
  /** Of its model: `dit`, `text-dit`, `expression-dit`, `autoencoder`, `custom`. */
  readonly kind: string | null;
  /** `digits`, `folder photos/` */
  readonly data: string | null;
}

export interface RunList {
  /** The folder of runs, as it was given. */
  readonly folder: string;
  /** The newest first. */
  readonly runs: readonly RunSummary[];
  /** Sentences about what is not shown. */
  readonly notes: readonly string[];
}

export interface MachineFacts {
  readonly host: string;
  readonly platform: string;
  readonly arch: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
}

export interface Notice {
  /** The step logged last when it was said. */
  readonly step: number;
  readonly text: string;
}

/** A step whose loss or gradient was not finite; it changed nothing. */
export interface BadStepNote {
  readonly step: number;
  readonly loss: Num;
  readonly gradNorm: Num;
  readonly epoch: number;
  /** What was found first that is not finite. */
  readonly finding: string | null;
}

export interface CheckpointNote {
  readonly step: number;
  readonly bytes: number;
}

/** A picture of the folder of samples. */
export interface SampleFile {
  readonly step: number;
  /** grid: samples; path: how they come out of noise; sizes: samples of each size. */
  readonly kind: 'grid' | 'path' | 'sizes';
  readonly file: string;
}

/** Fields of the log that are drawn together. */
export interface FieldGroup {
  readonly title: string;
  readonly fields: readonly FieldInfo[];
}

export interface FieldInfo {
  /** As `SeriesQuery.fields` takes it: `loss`, `gradNormByBlock.blocks.0`, `lossByTime.2`. */
  readonly name: string;
  /** For people. */
  readonly label: string;
  /** Of its values: `s`, `bytes`, `samples/s`, `share` (0 to 1), or none. */
  readonly unit: string;
}

export interface RunDetails {
  readonly summary: RunSummary;
  /** Of rectiflow, when it was started; null where config.json cannot be read, as are the next two. */
  readonly version: string | null;
  readonly machine: MachineFacts | null;
  /** As it was resolved. */
  readonly config: Json;
  /** Whether config.json is other than when the run began. */
  readonly isEdited: boolean;
  readonly groups: readonly FieldGroup[];
  /** The last of them, at most 1,000; the oldest first. */
  readonly notices: readonly Notice[];
  /** The last of them, at most 1,000. */
  readonly badSteps: readonly BadStepNote[];
  readonly checkpoints: readonly CheckpointNote[];
  /** Steps of stored averages, from which those of other lengths are made. */
  readonly averages: readonly number[];
  readonly samples: readonly SampleFile[];
  /** Of all its files, in bytes. */
  readonly disk: number;
  readonly steering: readonly SteeringEvent[];
  /** What is wrong with its files, a sentence each. */
  readonly damage: readonly string[];
  /** Where events begin that are not in here. */
  readonly live: LivePosition;
  /** What samples can be asked of it; null of runs whose model makes none. */
  readonly sampling: SamplingChoices | null;
}

/** What the form for samples offers. */
export interface SamplingChoices {
  /** 0 for a model without classes. */
  readonly classes: number;
  readonly classNames: readonly string[] | null;
  readonly takesPrompts: boolean;
  readonly samplers: readonly string[];
  /** Of the run's own grids. */
  readonly defaults: {
    readonly sampler: string;
    readonly steps: number;
    readonly guidance: number;
    readonly labels: readonly number[];
    readonly prompts: readonly string[];
  };
  /** Averages beside the main one, as `weights` names them: `ema:0.999`. */
  readonly averages: readonly string[];
  /** Whether averages of other lengths (`emaLength`) can be made. */
  readonly takesEmaLength: boolean;
  /** Checkpoints to sample from; none as long as none was saved. */
  readonly checkpoints: readonly number[];
}

// --- Numbers over time ---

/** In a URL: `fields=loss,gradNorm`, which may be given several times. */
export interface SeriesQuery {
  readonly fields: readonly string[];
  /** Steps, both included. By default all. */
  readonly from?: number;
  readonly to?: number;
  /** At most so many buckets, from 10 to 10,000; 1500 by default. */
  readonly points?: number;
}

export interface SeriesAnswer {
  /** By the names that were asked for; one that the log lacks is empty. */
  readonly fields: Readonly<Record<string, FieldSeries>>;
  /** Whether only some lines were read so far; ask again soon for all. */
  readonly isApproximate: boolean;
  /** Lines of the log, an estimate where `isApproximate`. */
  readonly records: number;
  /** Lines that are no records and were left out. */
  readonly damaged: number;
  /** Sentences about what was left out, or not held in memory. */
  readonly notes: readonly string[];
  /** Of the whole log; null where it has no record. */
  readonly steps: { readonly first: number; readonly last: number } | null;
  /** Where events begin that are not in here. */
  readonly live: LivePosition;
}

/** Columns of one length, a place for each bucket; buckets without a record that has the field are left out. */
export interface FieldSeries {
  /** Whether every bucket is of one record. */
  readonly isRaw: boolean;
  /** Of the last record in the bucket, as the next two are. */
  readonly step: readonly number[];
  /** Passes over the data. */
  readonly epoch: readonly (number | null)[];
  /** Of training. */
  readonly seconds: readonly (number | null)[];
  /** Of the finite values in it; null where there is none. */
  readonly min: readonly (number | null)[];
  readonly mean: readonly (number | null)[];
  readonly max: readonly (number | null)[];
  /** The last value in it, finite or not. */
  readonly last: readonly (Num | null)[];
  /** Records that have the field. */
  readonly count: readonly number[];
  /** Values in all of it that are not finite, by name, with the steps of the first 100 of them. */
  readonly gaps: {
    readonly count: number;
    readonly first: readonly { readonly step: number; readonly value: Num }[];
  };
}

// --- While it trains ---

/** Opaque: given back as `Last-Event-ID`, events go on after it. Each event has one as its `id`. */
export type LivePosition = string;

/** The name of an event in the stream is its type, its data the rest as JSON. A line that begins with `:` keeps the connection. */
export type LiveEvent =
  | { readonly type: 'record'; readonly record: LogRecord }
  /** Records of later steps do not count any more, because training went back or the log was made anew: ask for series again. */
  | { readonly type: 'cut'; readonly step: number }
  /** There is more since the position than is sent as single records: ask for series again. */
  | { readonly type: 'behind' }
  | { readonly type: 'notice'; readonly notice: Notice }
  | { readonly type: 'picture'; readonly sample: SampleFile }
  | { readonly type: 'checkpoint'; readonly checkpoint: CheckpointNote }
  /** The first of a stream, and whenever the state changes. */
  | { readonly type: 'state'; readonly summary: RunSummary }
  | { readonly type: 'steering'; readonly event: SteeringEvent }
  /** The folder was deleted or renamed. The stream ends. */
  | { readonly type: 'gone'; readonly sentence: string };

/** A line of metrics.jsonl as it is. */
export type LogRecord = { readonly step: number } & { readonly [field: string]: Json };

// --- Machine and settings ---

export interface MachineAnswer extends MachineFacts {
  /** Bytes that are free now. */
  readonly free: number;
  /** Of rectiflow. */
  readonly version: string;
  /** The folder of runs, and the bytes that are free on its disk; null where the system does not say. */
  readonly runs: string;
  readonly freeDisk: number | null;
}

export interface Comparison {
  readonly runs: readonly string[];
  /** Settings that are not the same in all, by dotted names; `values` in the order of `runs`, null where a run lacks it. */
  readonly settings: readonly { readonly name: string; readonly values: readonly Json[] }[];
  /** Runs that cannot be read, a sentence each. */
  readonly damage: readonly string[];
}

export interface RecipeList {
  readonly recipes: readonly RecipeNote[];
}

export interface RecipeNote {
  readonly name: string;
  readonly description: string;
  readonly config: Json;
  /** Where nobody but the user can bring the data: what `data.path` has to lead to. */
  readonly expects: string | null;
}

// --- Steering ---

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

// --- Jobs: what takes a while, in processes of their own ---

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

export type JobKind = 'sample' | 'straightness' | 'doctor' | 'plan' | 'data-check';

export interface Job {
  readonly id: string;
  readonly kind: JobKind;
  /** Of a sample job: the run. */
  readonly run: string | null;
  /** ISO 8601. */
  readonly started: string;
  readonly state: 'waiting' | 'running' | 'done' | 'failed' | 'stopped';
  /** What is under way, and how much of it is done; `total` is 0 where that is not known. */
  readonly progress: { readonly what: string; readonly done: number; readonly total: number };
  /** What the user should read. */
  readonly notices: readonly string[];
  /** Of one that is done: `SampleResult`, `StraightnessResult`, `DoctorResult`, `PlanResult` or `DataCheckResult`, by its kind. */
  readonly result: Json | SampleResult | StraightnessResult | DoctorResult | PlanResult | DataCheckResult;
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
