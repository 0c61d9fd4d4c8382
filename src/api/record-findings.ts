import type { Finding } from '../check/data-report.ts';
import type { Source } from '../data/source.ts';
import { RectiflowError } from '../tensor/errors.ts';
import { compareData } from '../known/compare-data.ts';
import type { ModelConfig } from '../train/settings.ts';
import type { KnownData } from '../known/known-data.ts';

/** What is other of data than what a run knows of them: it would refuse them, or say so. */
export async function recordFindings(
  source: Source,
  model: ModelConfig,
  known: KnownData | undefined,
): Promise<Finding[]> {
  const finding =
    (status: Finding['status']) =>
    (text: string): Finding => ({ about: 'data', status, text });
  try {
    const { notices } = await compareData(source, { checkpoint: known, model });
    return notices.map(finding('warn'));
  } catch (error) {
    if (!(error instanceof RectiflowError) || error.code !== 'data') throw error;
    return [finding('fail')(error.message)];
  }
}
