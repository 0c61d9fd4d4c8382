import type { Finding } from '../check/data-report.ts';
import type { Source } from '../data/source.ts';
import { RectiflowError } from '../tensor/errors.ts';
import { compareData } from '../known/compare-data.ts';
import type { RunConfig } from '../config/config.ts';
import { withSampleShape } from '../runner/stages.ts';
import type { KnownData } from '../known/known-data.ts';

/** What is other of data than what a run knows of them: it would refuse them, or say so. */
export async function recordFindings(
  source: Source,
  { model, stages }: Pick<RunConfig, 'model' | 'stages'>,
  known: KnownData | undefined,
): Promise<Finding[]> {
  const finding =
    (status: Finding['status']) =>
    (text: string): Finding => ({ about: 'data', status, text });
  try {
    // A checkpoint of a stage knows its data at the size of that.
    const checkpoint = known && stages.length > 0 ? withSampleShape(known, source.shape) : known;
    const { notices } = await compareData(source, { checkpoint, model });
    return notices.map(finding('warn'));
  } catch (error) {
    if (!(error instanceof RectiflowError) || error.code !== 'data') throw error;
    return [finding('fail')(error.message)];
  }
}
