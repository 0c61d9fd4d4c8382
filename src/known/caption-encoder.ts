// What makes captions what a model is told of them, where that is a file: recorded with the weights, and compared.
import { isBuiltIn } from '../tokenizers/built-in.ts';
import { digestFile } from '../host/durable.ts';
import { spreadIndices } from '../data/fingerprint.ts';
import { fileError } from '../tensor/errors.ts';
import type { Conditioning } from '../train/conditioning.ts';
import type { ModelConfig } from '../train/settings.ts';
import type { CaptionEncoder } from './data-record.ts';

/** Numbers of an embedding that are kept to know an encoder by. */
const mostKept = 32;
/** The same encoder on another machine, or in float16, is nearer to itself. */
const rounding = 0.02;

/** The digest of a tokenizer's file, or some numbers that an encoder makes of the empty caption; undefined where there is no file. */
export async function captionEncoderOf(
  config: ModelConfig,
  { text }: Conditioning,
): Promise<CaptionEncoder | undefined> {
  if (config.kind !== 'text-dit' || text === undefined) return undefined;
  if (text.kind === 'embeddings') {
    const { pooled } = text.empty;
    return spreadIndices(pooled.length, mostKept).map((index) => pooled[index]!);
  }
  const { tokenizer } = config.text;
  return isBuiltIn(tokenizer) ? undefined : (await digestFile(tokenizer)).sha256;
}

/** Whether captions become the same, as far as both are known. */
export function isSameEncoder(known: CaptionEncoder | undefined, now: CaptionEncoder | undefined): boolean {
  if (known === undefined || now === undefined) return true;
  if (typeof known === 'string' || typeof now === 'string') return known === now;
  const norm = (values: readonly number[]): number => Math.hypot(...values);
  return (
    known.length === now.length && norm(known.map((value, i) => value - now[i]!)) <= rounding * norm(known)
  );
}

/**
 * For those who tell a model captions without training it.
 * @throws RectiflowError where captions become something else than what the model knows
 */
export function checkEncoder(
  checkpoint: string,
  known: CaptionEncoder | undefined,
  now: CaptionEncoder | undefined,
): void {
  if (isSameEncoder(known, now)) return;
  const problem =
    'its model knows captions by another tokenizer or other embeddings than those that are there now';
  throw fileError(checkpoint, problem, 'Put back the tokenizer or the embeddings that it was trained with');
}
