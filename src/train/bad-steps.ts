import type { RunFolder } from '../checkpoint/run-folder.ts';
import { type RectiflowError, runError } from '../tensor/errors.ts';
import type { BadStepsConfig } from './config.ts';

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
  readonly #recent: BadStep[] = [];
  #count = 0;
  #rollBacks: number;

  /** @param rollBacks done by the run before it was resumed */
  constructor(policy: BadStepsConfig, rollBacks = 0) {
    this.#policy = policy;
    this.#rollBacks = rollBacks;
  }

  /** Of this process. */
  get count(): number {
    return this.#count;
  }

  get rollBacks(): number {
    return this.#rollBacks;
  }

  /** The bad steps among the last ones. */
  get recent(): readonly BadStep[] {
    return this.#recent;
  }

  add(bad: BadStep): Verdict {
    const { window, rollBackAfter, stopAfter } = this.#policy;
    this.#count++;
    this.#recent.push(bad);
    while (this.#recent[0]!.step <= bad.step - window) this.#recent.shift();
    if (this.#recent.length < rollBackAfter) return 'skip';
    return this.#rollBacks < stopAfter ? 'roll back' : 'stop';
  }

  /** What to tell of the step that was added last. What was found is told of the first of a window alone. */
  describeLast(): string {
    const bad = this.#recent.at(-1)!;
    const what =
      this.#recent.length > 1 ? `At step ${bad.step} ${whatIsBad(bad)} again.` : describeBadStep(bad);
    return `${what} Nothing was changed by this step.`;
  }

  /** After going back: steps have lower numbers from here on. */
  rolledBack(): void {
    this.#rollBacks++;
    this.#recent.length = 0;
  }
}

function describeBadStep(bad: BadStep): string {
  return `At step ${bad.step} ${whatIsBad(bad)}. ${bad.finding ?? 'Run again, all of it is finite.'}`;
}

function whatIsBad({ loss, gradNorm }: BadStep): string {
  return Number.isFinite(loss) ? `the gradient norm is ${gradNorm}` : `the loss is ${loss}`;
}

/** What a run ends with whose steps stay bad. @param saved the path of the last checkpoint */
export function divergence(
  { rollBacks, recent }: BadSteps,
  folder: Pick<RunFolder, 'path' | 'badStepsPath'>,
  saved: string | undefined,
): RectiflowError {
  const safe = saved
    ? `The last good checkpoint is ${saved}; nothing was saved over it`
    : 'No checkpoint was saved yet';
  const tried = rollBacks > 0 ? ` after going back ${rollBacks} times` : '';
  const problem =
    `training diverged: ${recent.length} of the last steps were not finite${tried}. ` +
    `${describeBadStep(recent.at(-1)!)} Each is described in ${folder.badStepsPath}. ${safe}`;
  const advice =
    'Train again with a lower optimizer.learningRate, and with optimizer.clipNorm above 0 where it is 0; look at the data where they are to blame';
  return runError(folder.path, problem, advice);
}
