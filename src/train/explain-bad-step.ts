import type { Batch } from '../data/loader.ts';
import { nameOfSample } from '../data/source.ts';
import type { StepInputs } from './compiled-step.ts';
import { explainNonFinite } from './monitor/non-finite.ts';
import type { PreparedTraining } from './prepare.ts';

/**
 * What made a step bad, in words; undefined where all is finite when it is run again. All ranks call it: it is told by the first one that
 * finds something among its samples.
 */
export async function explainBadStep(
  { executable, source, communicator }: PreparedTraining,
  inputs: StepInputs,
  { indices, shape, firstSample }: Batch,
): Promise<string | undefined> {
  const nameOf = (sample: number): string => nameOfSample(source, indices[sample - firstSample]!);
  const own = await explainNonFinite(executable, inputs, nameOf, shape);
  if (communicator === undefined) return own;
  const all = await communicator.gatherJson(own ?? null);
  return all.find((finding) => finding !== null) ?? undefined;
}
