// A run in a folder is steered by files in it, which are looked for beside training.
import { randomUUID } from 'node:crypto';
import type { RunFolder } from '../runs/run-folder.ts';
import { SteeringLog } from '../runs/steering-events.ts';
import {
  type FoundRequest,
  markPaused,
  readRequest,
  removeRequest,
  removeRequestLeftovers,
  takeRequest,
  waitingRequests,
} from '../runs/steering-requests.ts';
import { configOfStep, settingsOf } from '../steering/course.ts';
import { type SteeringEvent, type SteeringSettings, describeSettings } from '../steering/event.ts';
import type { Steering } from '../steering/steering.ts';
import { RectiflowError } from '../tensor/errors.ts';
import { type SteeredTraining, checkSteering } from './steering-check.ts';
import type { PreparedRun } from './prepare-run.ts';

/** Milliseconds between two looks at the folder. */
const look = 500;

export class RunSteering implements Steering {
  readonly #folder: RunFolder;
  readonly #training: SteeredTraining;
  readonly #log: SteeringLog;
  readonly #onNotice: (text: string, step: number) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #waiting: FoundRequest[] = [];
  #isPaused = false;
  #isMarked = false;
  #looking: Promise<void> | undefined;

  private constructor(
    folder: RunFolder,
    training: SteeredTraining,
    log: SteeringLog,
    onNotice: (text: string, step: number) => void,
  ) {
    this.#folder = folder;
    this.#training = training;
    this.#log = log;
    this.#onNotice = onNotice;
    this.#timer = setInterval(() => void this.look(), look);
    this.#timer.unref();
  }

  /**
   * @param onNotice is told of settings that were changed before, and of what has no effect, with the last step that is done
   * @throws RectiflowError where it is not known what was changed before
   */
  static async open(
    folder: RunFolder,
    training: Pick<PreparedRun, 'checkpoint'> & SteeredTraining,
    onNotice: (text: string, step: number) => void,
  ): Promise<RunSteering> {
    const { path } = folder;
    const log = await SteeringLog.open(path);
    const step = training.checkpoint?.step ?? 0;
    const settings = settingsOf(log.events, step + 1);
    const { steered } = training.checkpoint?.state ?? {};
    if (steered !== undefined && settings === undefined)
      onNotice(
        `${training.checkpoint!.path} was steered, which events.jsonl does not tell: it goes on without.`,
        step,
      );
    if (settings) onNotice(`${path} was steered: it goes on with ${describeSettings(settings)}.`, step);
    await removeRequestLeftovers(path);
    await markPaused(path, false);
    const steering = new RunSteering(folder, training, log, onNotice);
    await steering.look();
    return steering;
  }

  get events(): readonly SteeringEvent[] {
    return this.#log.events;
  }

  get isAsked(): boolean {
    return this.#waiting.length > 0;
  }

  /** Looks for requests now. What cannot be read now is looked for again. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch(() => {})
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { path, owner } = this.#folder;
    for (const id of await waitingRequests(path)) {
      if (this.#waiting.some((known) => known.id === id)) continue;
      const found = await readRequest(path, id);
      if (found === undefined) continue;
      // Meant for a process that has ended, or answered by one that ended before it could take the file away.
      const isOld = found.to !== owner || this.#log.events.some((event) => event.id === id);
      if (isOld) await removeRequest(path, id);
      else this.#waiting.push(found);
    }
  }

  async take(step: number): Promise<readonly SteeringEvent[]> {
    const applied: SteeringEvent[] = [];
    const { path } = this.#folder;
    await this.#looking;
    for (const request of this.#waiting.splice(0)) {
      if (!(await takeRequest(path, request.id))) continue;
      const event = this.#answer(request, step);
      const { kind, outcome } = event;
      if (kind === 'sample' && outcome === 'applied') {
        applied.push(event);
        continue;
      }
      const pauses = kind === 'pause' || (kind !== 'goOn' && this.#isPaused);
      // Whoever sees the event is to see the mark.
      if (outcome === 'applied') await this.#mark(pauses);
      const isRecorded = await this.#record(event);
      if (isRecorded && outcome === 'applied') {
        this.#isPaused = pauses;
        applied.push(event);
      }
      await this.#mark(this.#isPaused);
      await removeRequest(path, request.id);
    }
    return applied;
  }

  async answer(event: SteeringEvent): Promise<void> {
    await this.#record(event);
    await removeRequest(this.#folder.path, event.id);
  }

  async #mark(isPaused: boolean): Promise<void> {
    if (isPaused !== this.#isMarked) await markPaused(this.#folder.path, isPaused);
    this.#isMarked = isPaused;
  }

  #answer({ id, asked }: FoundRequest, step: number): SteeringEvent {
    const of = { id, step, time: new Date().toISOString() };
    const config = configOfStep(this.#training.config, this.#log.events, step + 1);
    try {
      return { ...of, ...checkSteering(this.#training, config, asked, step), outcome: 'applied' };
    } catch (error) {
      if (!(error instanceof RectiflowError)) throw error;
      return { ...of, kind: kindOf(asked), outcome: 'refused', sentence: error.message };
    }
  }

  async keep(settings: SteeringSettings, from: number, step: number): Promise<SteeringEvent | undefined> {
    const event: SteeringEvent = {
      id: randomUUID(),
      step,
      time: new Date().toISOString(),
      kind: 'set',
      settings,
      outcome: 'applied',
      sentence: `Training went back from step ${from}, and what was changed until then holds on.`,
    };
    return (await this.#record(event)) ? event : undefined;
  }

  /** @returns whether it is on the disk */
  async #record(event: SteeringEvent): Promise<boolean> {
    await this.#folder.check();
    try {
      await this.#log.append(event);
      return true;
    } catch (error) {
      if (!(error instanceof RectiflowError)) throw error;
      this.#onNotice(error.message, event.step);
      return false;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    await markPaused(this.#folder.path, false);
  }
}

/** Of a request that is none, the one that says the least. */
function kindOf(asked: unknown): SteeringEvent['kind'] {
  const kind = (asked as { readonly kind?: unknown } | null | undefined)?.kind;
  return (['pause', 'goOn', 'save', 'stop', 'sample'] as const).find((each) => each === kind) ?? 'set';
}
