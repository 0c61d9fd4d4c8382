// What a run is asked while it trains: of several ranks, the first hears it and all of them do it after the same step.
import { changesOf, configOfStep, settingsOf } from '../steering/course.ts';
import { type SteeringEvent, type SteeringSettings, describeEvent } from '../steering/event.ts';
import type { Steering } from '../steering/steering.ts';
import { refused } from './sample-orders.ts';
import type { PreparedTraining } from './prepare.ts';
import type { StopSignal } from './ranks/stop-signal.ts';
import type { SaverOptions } from './saver.ts';
import type { TrainingConfig } from './settings.ts';

type SteerableTraining = Pick<PreparedTraining, 'config' | 'span' | 'communicator' | 'exchange'>;

/** What of it the trainer is to do. */
export interface Orders {
  /** A checkpoint, as soon as a step can be saved: the last could not. */
  readonly isSaveDue: boolean;
  /** Whether training ends, because that was asked or the signal came. */
  readonly isStopDue: boolean;
}

/** What the trainer does between two steps. */
export interface Doing {
  /** Is told what is done. */
  onNotice(text: string): void;
  /** Saves the last step; false where it cannot be saved. */
  save(): Promise<boolean>;
  /** Makes the samples that an event asks for. @returns what became of it */
  sample(event: SteeringEvent): Promise<SteeringEvent>;
}

/** Milliseconds between two looks of a training that is paused. */
const look = 100;

export class SteeredRun {
  readonly #training: SteerableTraining;
  readonly #steering: Steering | undefined;
  readonly #events: SteeringEvent[];
  /** The config of the step that was asked for last, and the steps that have the same. */
  #last: { readonly after: number; readonly until: number; readonly config: TrainingConfig } | undefined;

  private constructor(
    training: SteerableTraining,
    steering: Steering | undefined,
    events: readonly SteeringEvent[],
  ) {
    this.#training = training;
    this.#steering = steering;
    this.#events = changesOf(events);
    if (steering) training.exchange?.watchSteering(() => steering.isAsked);
  }

  /** All ranks call it. @param steering of the first, and of whoever trains alone */
  static async open(training: SteerableTraining, steering: Steering | undefined): Promise<SteeredRun> {
    const own = steering?.events ?? [];
    const [events] = (await training.communicator?.gatherJson(own)) ?? [own];
    return new SteeredRun(training, steering, events!);
  }

  /** The config that a step is done with, from 1. What is done after it, such as to sample, is done with the same. */
  configOf(step: number): TrainingConfig {
    if (this.#last === undefined || step <= this.#last.after || step > this.#last.until) {
      const steps = this.#events.map((event) => event.step);
      this.#last = {
        after: Math.max(-1, ...steps.filter((each) => each < step)),
        until: Math.min(Infinity, ...steps.filter((each) => each >= step)),
        config: configOfStep(this.#training.config, this.#events, step),
      };
    }
    return this.#last.config;
  }

  /** What is other than in the config for the steps after one, as far as it is known now. */
  settingsAfter(step: number): SteeringSettings | undefined {
    return settingsOf(this.#events, step + 1);
  }

  /** Whether `obey` is to be called before the next step. Of ranks, the same on all of them. */
  get isAsked(): boolean {
    const { exchange } = this.#training;
    return exchange ? exchange.steeringAgreed : (this.#steering?.isAsked ?? false);
  }

  /**
   * Does what was asked, between two steps, and waits while training is paused. All ranks call it.
   * @param step the last that is done
   */
  async obey(step: number, stop: StopSignal, doing: Doing): Promise<Orders> {
    let isSaveDue = false;
    let isPaused = false;
    do {
      if (isPaused) await new Promise((done) => setTimeout(done, look));
      const { events, isStopped } = await this.#take(step, stop);
      this.#add(changesOf(events));
      for (const event of events) {
        const { kind } = event;
        if (kind === 'sample') {
          await this.#sample(event, doing);
          continue;
        }
        doing.onNotice(`steered: ${describeEvent(event)}`);
        if (kind === 'save') isSaveDue = !(await doing.save());
        if (kind === 'pause' || kind === 'goOn') isPaused = kind === 'pause';
      }
      if (isStopped || events.some(({ kind }) => kind === 'stop')) return { isSaveDue, isStopDue: true };
    } while (isPaused);
    return { isSaveDue, isStopDue: false };
  }

  /** Whoever asked is answered whatever happens. */
  async #sample(event: SteeringEvent, { sample, onNotice }: Doing): Promise<void> {
    let answer: SteeringEvent;
    try {
      answer = await sample(event);
    } catch (error) {
      await this.#steering?.answer?.(refused(event, error)).catch(() => {});
      throw error;
    }
    const { outcome, sentence } = answer;
    // Only the first of ranks has written them.
    if (outcome === 'refused' || answer.made)
      onNotice(`steered: ${outcome === 'refused' ? sentence : describeEvent(answer)}`);
    await this.#steering?.answer?.(answer);
  }

  async #take(
    step: number,
    stop: StopSignal,
  ): Promise<{ readonly events: readonly SteeringEvent[]; readonly isStopped: boolean }> {
    const { communicator, exchange } = this.#training;
    const own = {
      events: this.#steering?.isAsked ? await this.#steering.take(step) : [],
      isStopped: exchange?.isStopWanted ?? stop.isDue,
    };
    const all = (await communicator?.gatherJson(own)) ?? [own];
    return { events: all[0]!.events, isStopped: all.some(({ isStopped }) => isStopped) };
  }

  /** What checkpoints are saved by, as it is when that is asked. */
  saving(stepNow: () => number): SaverOptions['train'] {
    const { config, span } = this.#training;
    const checkpointEvery = (): number => this.configOf(stepNow()).train.checkpointEvery;
    return {
      ...config.train,
      keepSteps: span?.ends,
      get checkpointEvery() {
        return checkpointEvery();
      },
    };
  }

  /** After training went back: settings hold on that were changed on the way. All ranks call it. */
  async keep(from: number, step: number): Promise<void> {
    const now = settingsOf(this.#events, from + 1);
    if (now === undefined || JSON.stringify(now) === JSON.stringify(settingsOf(this.#events, step + 1)))
      return;
    const own = (await this.#steering?.keep(now, from, step)) ?? null;
    const [event] = (await this.#training.communicator?.gatherJson(own)) ?? [own];
    if (event) this.#add([event]);
  }

  #add(events: readonly SteeringEvent[]): void {
    this.#events.push(...events);
    this.#last = undefined;
  }

  async close(): Promise<void> {
    await this.#steering?.close?.();
  }
}
