import { join } from 'node:path';
import type { TrainResult } from '../../train/metrics.ts';
import { type LearnPairsOptions, checkStudent, learnPairs, studentName } from './learn-pairs.ts';
import { type MadePairs, type MakePairsOptions, makePairs } from './make-pairs.ts';

export interface ReflowOptions
  extends Omit<MakePairsOptions, 'onProgress'>, Omit<LearnPairsOptions, keyof MakePairsOptions> {
  /** The folder of the pairs; by default that of the new run's name in `pairs`. */
  readonly folder?: string | undefined;
  /** Hears of pairs. */
  readonly onPairs?: MakePairsOptions['onProgress'];
}

export interface Reflowed {
  readonly pairs: MadePairs;
  readonly training: TrainResult;
}

/** Where pairs are, and who learns from them, where nobody says otherwise. */
export function reflowNames(
  run: string,
  { name, distill, folder }: Pick<ReflowOptions, 'name' | 'distill' | 'folder'>,
): { readonly name: string; readonly folder: string } {
  const student = name ?? studentName(run, distill);
  return { name: student, folder: folder ?? join('pairs', student) };
}

/** The pairs of `reflow`: they are made only where the run that is to learn from them can. */
export async function pairsForReflow(run: string, options: ReflowOptions): Promise<MadePairs> {
  const { onPairs, ...rest } = options;
  const { folder } = reflowNames(run, options);
  return makePairs(run, folder, {
    ...rest,
    check: (opened, plan) => checkStudent(opened, folder, plan, rest),
    ...(onPairs && { onProgress: onPairs }),
  });
}

/**
 * Makes pairs with a run's model, as `makePairs` does, and trains a new run on them, as `learnPairs` does. What comes of it can be
 * reflowed or distilled again. Given again, it goes on with what is there.
 * @param run its folder
 * @throws RectiflowError as the two do; the signal's reason where it came before the new run had begun
 */
export async function reflow(run: string, options: ReflowOptions = {}): Promise<Reflowed> {
  const { onPairs: _, source: __, ...rest } = options;
  const pairs = await pairsForReflow(run, options);
  return { pairs, training: await learnPairs(run, pairs, rest) };
}
