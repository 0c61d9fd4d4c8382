// How an event of a run's stream changes what is known of the run.
import type {
  CheckpointNote,
  Json,
  LogRecord,
  Notice,
  Num,
  RunDetails,
  RunSummary,
  SampleFile,
  SteeringEvent,
} from '../../../src/page/contract.ts';

/** The data of any event. */
export interface LiveData {
  readonly record?: LogRecord;
  readonly step?: number;
  readonly notice?: Notice;
  readonly sample?: SampleFile;
  readonly checkpoint?: CheckpointNote;
  readonly summary?: RunSummary;
  readonly event?: SteeringEvent;
  readonly sentence?: string;
}

/** What the head of the page tells. */
export interface Facts {
  readonly step: number;
  readonly loss: Num | null;
  readonly epoch: number | null;
  readonly samplesPerSecond: number | null;
  readonly seconds: number | null;
  readonly secondsLeft: number | null;
}

/** @param later records since the summary was made, which tell more */
export function factsOf(summary: RunSummary, later: readonly LogRecord[]): Facts {
  const last = later.at(-1);
  if (last === undefined || last.step <= summary.step) return summary;
  const first = later[0]!;
  const number = (value: Json | undefined): number | null => (typeof value === 'number' ? value : null);
  const isTraining = summary.state === 'training' && summary.steps !== null;
  const pace = (Number(last['seconds']) - Number(first['seconds'])) / (last.step - first.step);
  return {
    step: last.step,
    loss: lossOf(last['loss']) ?? summary.loss,
    epoch: number(last['epoch']) ?? summary.epoch,
    samplesPerSecond: number(last['samplesPerSecond']) ?? summary.samplesPerSecond,
    seconds: number(last['seconds']) ?? summary.seconds,
    secondsLeft: isTraining && pace > 0 ? pace * (summary.steps! - last.step) : summary.secondsLeft,
  };
}

/** As a line has it, which may have anything. */
function lossOf(value: Json | undefined): Num | undefined {
  return typeof value === 'number' || typeof value === 'string' ? (value as Num) : undefined;
}

/** As many notices as the server tells of at once. */
const MOST_NOTICES = 1000;

export function upsert(details: RunDetails, data: LiveData): RunDetails {
  const { notice, sample, checkpoint, summary, event } = data;
  return {
    ...details,
    ...(summary === undefined ? {} : { summary }),
    ...(notice === undefined ? {} : { notices: [...details.notices, notice].slice(-MOST_NOTICES) }),
    ...(sample === undefined ? {} : { samples: withOne(details.samples, sample, 'file') }),
    ...(checkpoint === undefined ? {} : { checkpoints: withOne(details.checkpoints, checkpoint, 'step') }),
    ...(event === undefined ? {} : { steering: withOne(details.steering, event, 'id') }),
  };
}

/** The list with `one` in place of what is the same thing, in the order of steps. */
function withOne<T extends { readonly step: number }>(list: readonly T[], one: T, key: keyof T): T[] {
  const others = list.filter((each) => each[key] !== one[key]);
  return [...others, one].toSorted((a, b) => a.step - b.step);
}
