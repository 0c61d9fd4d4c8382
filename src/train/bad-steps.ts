import { counted } from '../tensor/counted.ts';
import { type RectiflowError, runError } from '../tensor/errors.ts';
import type { RunStore } from './run-store.ts';
import type { BadStepsConfig } from './settings.ts';

/** What is known of a step whose loss or gradient was not finite; it changed nothing. A line of bad-steps.jsonl. */
export interface BadStep {
  readonly step: number;
  readonly loss: number;
  readonly gradNorm: number;
  /** Passes over the data so far. */
  readonly epoch: number;
  /** What was found first that is not finite, in words. */
  readonly finding: string | undefined;
}

/** What to do after one. */
export type Verdict = 'skip' | 'roll back' | 'stop';

/** Counts bad steps, and says when skipping them is no longer enough. */
export class BadSteps {
  readonly #policy: BadStepsConfig;
  #recent: readonly number[];
  #rollBacks: number;

  /** @param rollBacks done by the run before it was resumed @param recent its bad steps among the last ones */
  constructor(policy: BadStepsConfig, rollBacks = 0, recent: readonly number[] = []) {
    this.#policy = policy;
    this.#rollBacks = rollBacks;
    this.#recent = recent;
  }

  get rollBacks(): number {
    return this.#rollBacks;
  }

  /** The bad steps among the last ones. */
  get recent(): readonly number[] {
    return this.#recent;
  }

  /** "2 of the last 100 steps were not finite, after going back once" */
  describe(): string {
    const times = this.#rollBacks === 1 ? 'once' : `${this.#rollBacks} times`;
    const tried = this.#rollBacks > 0 ? `, after going back ${times}` : '';
    return `${this.#recent.length} of the last ${counted(this.#policy.window, 'step')} were not finite${tried}`;
  }

  add(bad: number): Verdict {
    const { window, rollBackAfter, stopAfter } = this.#policy;
    this.#recent = [...this.#recent, bad].filter((step) => step > bad - window);
    if (this.#recent.length < rollBackAfter) return 'skip';
    return this.#rollBacks < stopAfter ? 'roll back' : 'stop';
  }

  /** After going back: steps have lower numbers from here on. */
  rolledBack(): void {
    this.#rollBacks++;
    this.#recent = [];
  }
}

/** What to tell of a bad step. @param isFirst among those of the window: what was found is told of that alone */
export function describeBadStep({ step, loss, gradNorm, finding }: BadStep, isFirst: boolean): string {
  const squared = Number.isFinite(gradNorm) ? ', whose square is too large' : '';
  const what = Number.isFinite(loss) ? `the gradient norm is ${gradNorm}${squared}` : `the loss is ${loss}`;
  return isFirst
    ? `At step ${step} ${what}. ${finding ?? 'Run again, all of it is finite.'}`
    : `At step ${step} ${what} again.`;
}

/** What a run ends with whose steps stay bad. @param last of them @param saved the path of the last checkpoint */
export function divergence(
  last: BadStep,
  badSteps: BadSteps,
  store: Pick<RunStore, 'path' | 'badStepsPath'>,
  saved: string | undefined,
): RectiflowError {
  const safe = saved ? `The last good checkpoint is ${saved}` : 'No checkpoint was saved yet';
  const problem =
    `training diverged: ${badSteps.describe()}. ${describeBadStep(last, true)} ` +
    `Each is described in ${store.badStepsPath}. ${safe}`;
  const advice =
    'Train again with a lower optimizer.learningRate, and with optimizer.clipNorm above 0 where it is 0; look at the data where they are to blame';
  return runError(store.path, problem, advice);
}
