import type { SteeringEvent, SteeringSettings } from './event.ts';

/** Where a training is steered from, as its host has it. */
export interface Steering {
  /** What was changed before, in the order in which it happened: it changes again when training comes to the steps after it. */
  readonly events: readonly SteeringEvent[];
  /** Whether something was asked that has not been taken. Is looked at between steps. */
  readonly isAsked: boolean;
  /**
   * Takes what was asked. Each of it is recorded for good before this ends; what cannot be recorded has no effect, and is not returned.
   * Only samples are recorded when they are made, by `answer`: they change nothing.
   * @param step the last that is done
   * @returns what takes effect now, in its order
   * @throws RectiflowError of the code `run` where the run is no longer there, or no longer ours
   */
  take(step: number): Promise<readonly SteeringEvent[]>;
  /**
   * Records settings that hold on although training went back to a step before they were changed.
   * @returns undefined where that cannot be recorded: then they do not hold
   */
  keep(settings: SteeringSettings, from: number, step: number): Promise<SteeringEvent | undefined>;
  /** Of samples that were taken: what became of them. Without it, none are to be taken. */
  answer?(event: SteeringEvent): Promise<void>;
  /** Nothing more is asked. */
  close?(): Promise<void>;
}

/** Of a training that nobody steers, and which does what was asked when it was done first. */
export function steeredBefore(events: readonly SteeringEvent[]): Steering {
  return { events, isAsked: false, take: async () => [], keep: async () => undefined };
}
