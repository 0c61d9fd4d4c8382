// What is sent while a run trains.
import type { Json } from './common.ts';
import type { CheckpointNote, Notice, RunSummary, SampleFile } from './runs.ts';
import type { SteeringEvent } from './steering.ts';

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
