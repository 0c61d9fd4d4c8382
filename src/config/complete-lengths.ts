import { checkHeldOut } from '../data/hold-out.ts';
import type { SourceFacts } from '../data/source.ts';
import { attempt, describeProblem } from '../tensor/config-error.ts';
import { defaultWarmup, defaults } from '../train/defaults.ts';
import { stepsOfEpochs } from '../train/step-shapes.ts';
import type { OptimizerConfig, TrainConfig } from '../train/settings.ts';
import type { Parsed } from './schema.ts';

/** Weeks, of the smallest model there can be. */
const mostSteps = 1_000_000_000;

/**
 * Lengths of a run in steps: as they are given, or from epochs, or by default. A batch that meets the end of an epoch goes on in
 * the next one, so that epochs are as many steps as it takes to have seen count * epochs samples.
 * @param facts of the opened data; without them, epochs cannot be turned into steps
 */
export function completeLengths(
  {
    train: { steps, epochs, ...train },
    optimizer: { warmupSteps, warmupEpochs, ...optimizer },
    heldOut,
  }: Parsed,
  facts: SourceFacts | undefined,
  problems: string[],
): { train: TrainConfig; optimizer: OptimizerConfig } {
  if (facts && heldOut.count > 0) attempt(problems, () => checkHeldOut(facts, heldOut.count));
  const inSteps = (length: number, setting: string, other: string): number => {
    if (facts) return stepsOfEpochs(length, facts, heldOut.count, train);
    problems.push(`${setting}: the number of samples is not known here. Give ${other}`);
    return 1;
  };
  if (steps !== undefined && epochs !== undefined) {
    problems.push('train: steps and epochs both say how long to train. Give one of them');
  }
  if (warmupSteps !== undefined && warmupEpochs !== undefined) {
    problems.push('optimizer: warmupSteps and warmupEpochs both say how long to warm up. Give one of them');
  }
  const total =
    epochs === undefined ? (steps ?? defaults.steps) : inSteps(epochs, 'train.epochs', 'train.steps');
  if (total > mostSteps) {
    const [setting, given] = epochs === undefined ? ['steps', steps] : ['epochs', epochs];
    problems.push(describeProblem(['train', setting], `at most ${mostSteps} steps`, given));
  }
  const warmup =
    warmupEpochs === undefined
      ? (warmupSteps ?? defaultWarmup(total))
      : inSteps(warmupEpochs, 'optimizer.warmupEpochs', 'optimizer.warmupSteps');
  return { train: { steps: total, ...train }, optimizer: { ...optimizer, warmupSteps: warmup } };
}
