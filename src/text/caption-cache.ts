// Embeddings of captions, made once by a text encoder and kept in a file: training and sampling then need no encoder.
//
// A safetensors file, with C captions of T tokens in all and W features; caption 0 is the empty one:
//   keys        U8  [C, 32]  the SHA-256 of each caption
//   lengths     I32 [C]      its tokens
//   embeddings  F16 or F32 [T, W], those of caption 0 first
//   pooled      F16 or F32 [C, W]
import { createHash } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { readSafetensors, writeSafetensors } from '../formats/safetensors-file.ts';
import type { StoredTensor } from '../tensor/stored-tensor.ts';
import { toFloat32 } from '../tensor/to-float32.ts';
import { counted } from '../tensor/counted.ts';
import { dataError, fileError, valueError } from '../tensor/errors.ts';
import { toHalfBits } from '../tensor/half.ts';
import type { EncodedCaption, CaptionEncoder } from './text-encoder.ts';

export interface EncodeCaptionsOptions {
  /** Each is encoded once; the empty one, which stands for no caption, always is. */
  readonly captions: Iterable<string> | AsyncIterable<string>;
  readonly encoder: CaptionEncoder;
  /** Of the file; half the size (the default) holds numbers up to 65504, of which three digits count. */
  readonly precision?: 'float16' | 'float32';
  /** Captions that the encoder gets at a time; 32 by default. */
  readonly batchSize?: number;
  /** Told after every batch. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops between two batches, with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told how many captions are cut. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** Embeddings are held in memory, here and in training. */
const MOST_BYTES = 4 * 2 ** 30;
const KEY_BYTES = 32;
const ENCODE_AGAIN = 'Encode the captions again: rectiflow data encode-text';

/**
 * Encodes captions and writes the file, in place of one that is there.
 * @returns how many different captions it holds
 * @throws RectiflowError where the embeddings take too much memory, are not finite or too large for the precision
 */
export async function encodeCaptions(path: string, options: EncodeCaptionsOptions): Promise<number> {
  const { encoder, precision = 'float16', batchSize = 32, onProgress, signal, onNotice } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw valueError('encodeCaptions', 'batchSize', 'a positive integer', batchSize);
  }
  const unique = new Set(['']);
  for await (const caption of options.captions) unique.add(caption);
  const captions = [...unique];
  const most = encoder.tokenizer.length;
  const cut = { count: 0, longest: 0 };
  const lengths = Int32Array.from(captions, (caption) => {
    const { count, whole } = encoder.tokenizer.encode(caption);
    if (whole > most) cut.count++;
    cut.longest = Math.max(cut.longest, whole);
    return count;
  });
  if (cut.count > 0) {
    const share = `${cut.count} of ${counted(captions.length, 'caption')} ${cut.count === 1 ? 'is' : 'are'}`;
    onNotice?.(
      `${share} longer than ${most} tokens (longest ${cut.longest}): the encoder is not given the rest. Raise --length (length), where it takes more, or shorten them.`,
    );
  }
  const tokens = lengths.reduce((total, length) => total + length, 0);

  let tables: { embeddings: NumberTable; pooled: NumberTable } | undefined;
  for (let first = 0; first < captions.length; first += batchSize) {
    signal?.throwIfAborted();
    const encoded = await encoder.encode(captions.slice(first, first + batchSize));
    const width = encoded[0]!.pooled.length;
    tables ??= {
      embeddings: new NumberTable(encoder.name, precision, tokens, width),
      pooled: new NumberTable(encoder.name, precision, captions.length, width),
    };
    for (const caption of encoded) {
      tables.embeddings.append(caption.embeddings);
      tables.pooled.append(caption.pooled);
    }
    onProgress?.(Math.min(captions.length, first + batchSize), captions.length);
  }

  const keys = new Uint8Array(captions.length * KEY_BYTES);
  captions.forEach((caption, i) => keys.set(keyOf(caption), i * KEY_BYTES));
  const contents = new Map<string, StoredTensor>([
    ['keys', { dtype: 'U8', shape: [captions.length, KEY_BYTES], data: keys }],
    ['lengths', { dtype: 'I32', shape: [captions.length], data: lengths }],
    ['embeddings', tables!.embeddings.stored],
    ['pooled', tables!.pooled.stored],
  ]);
  const temporary = `${path}.tmp-${process.pid}`;
  await rm(temporary, { force: true });
  await writeSafetensors(temporary, contents, { tokenizer: encoder.tokenizer.name, encoder: encoder.name });
  await rename(temporary, path);
  return captions.length;
}

/** Rows of numbers that are filled from the first to the last. */
class NumberTable {
  readonly stored: StoredTensor & { readonly data: Float32Array | Uint16Array };
  readonly #encoder: string;
  #filled = 0;

  constructor(encoder: string, precision: 'float16' | 'float32', rows: number, width: number) {
    const [dtype, Storage] =
      precision === 'float16' ? (['F16', Uint16Array] as const) : (['F32', Float32Array] as const);
    const bytes = rows * width * Storage.BYTES_PER_ELEMENT;
    if (bytes > MOST_BYTES) {
      const problem = `embeddings of ${rows} tokens take ${(bytes / 2 ** 30).toFixed(1)} GiB, more than 4`;
      throw dataError(encoder, problem, 'Take fewer captions, or train a text encoder with the model');
    }
    this.stored = { dtype, shape: [rows, width], data: new Storage(rows * width) };
    this.#encoder = encoder;
  }

  append(values: Float32Array): void {
    const { data } = this.stored;
    if (!values.every(Number.isFinite)) {
      throw dataError(this.#encoder, 'gives numbers that are not finite', 'Export it in float32');
    }
    if (data instanceof Uint16Array && values.some((value) => Math.abs(value) >= 65520)) {
      throw dataError(this.#encoder, 'gives numbers too large for float16', 'Set the precision to float32');
    }
    data.set(data instanceof Uint16Array ? toHalfBits('float16', values) : values, this.#filled);
    this.#filled += values.length;
  }
}

/** The embeddings of captions, from a file that `encodeCaptions` wrote. */
export class CaptionCache {
  readonly path: string;
  /** Features of an embedding. */
  readonly width: number;
  /** Tokens of the longest caption. */
  readonly longest: number;
  /** The name of the tokenizer that the captions were encoded with. */
  readonly tokenizer: string;
  readonly #index: ReadonlyMap<string, number>;
  /** Where each caption's tokens begin, and the last one's end. */
  readonly #starts: readonly number[];
  readonly #embeddings: StoredTensor;
  readonly #pooled: StoredTensor;

  /** @throws RectiflowError when the file is missing, damaged or holds something else */
  static async open(path: string): Promise<CaptionCache> {
    const { tensors, metadata } = await readSafetensors(path);
    const [keys, lengths, embeddings, pooled] = ['keys', 'lengths', 'embeddings', 'pooled'].map((name) => {
      const tensor = tensors.get(name);
      if (tensor === undefined) throw fileError(path, `holds no captions: it has no ${name}`, ENCODE_AGAIN);
      return tensor;
    }) as [StoredTensor, StoredTensor, StoredTensor, StoredTensor];
    return new CaptionCache(path, metadata['tokenizer'] ?? 'unknown', { keys, lengths, embeddings, pooled });
  }

  private constructor(
    path: string,
    tokenizer: string,
    parts: Readonly<Record<'keys' | 'lengths' | 'embeddings' | 'pooled', StoredTensor>>,
  ) {
    const { keys, lengths, embeddings, pooled } = parts;
    this.path = path;
    this.tokenizer = tokenizer;
    this.width = embeddings.shape[1] ?? 0;
    this.#embeddings = embeddings;
    this.#pooled = pooled;
    const counts = Array.from(lengths.data, Number);
    this.longest = counts.reduce((most, count) => Math.max(most, count), 0);
    let tokens = 0;
    this.#starts = [0, ...counts.map((count) => (tokens += count))];
    const index = counts.map((_, i) => {
      const key = keys.data.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES) as Uint8Array;
      return [Buffer.from(key).toString('hex'), i] as const;
    });
    this.#index = new Map(index);
    const fits =
      counts.every((count) => count >= 1) &&
      keys.data.byteLength === counts.length * KEY_BYTES &&
      embeddings.shape[0] === tokens &&
      pooled.shape[0] === counts.length &&
      pooled.shape[1] === this.width;
    if (!fits) throw fileError(path, 'its tensors do not fit together', ENCODE_AGAIN);
    if (!this.has('')) throw fileError(path, 'lacks the empty caption', ENCODE_AGAIN);
  }

  has(caption: string): boolean {
    return this.#index.has(hexOf(caption));
  }

  /** @throws RectiflowError for a caption that is not in the file */
  get(caption: string): EncodedCaption {
    const i = this.#find(caption);
    return {
      embeddings: this.#rows(this.#embeddings, this.#starts[i]!, this.#starts[i + 1]!),
      pooled: this.#rows(this.#pooled, i, i + 1),
    };
  }

  /**
   * The tokens of a caption.
   * @throws RectiflowError for a caption that is not in the file
   */
  tokensOf(caption: string): number {
    const i = this.#find(caption);
    return this.#starts[i + 1]! - this.#starts[i]!;
  }

  /**
   * What a model is told of these captions, by name: embeddings [B, length, width], pooled [B, width] and length [B]. Captions
   * of more tokens are cut.
   */
  conditions(
    captions: readonly string[],
    length: number,
  ): { embeddings: Float32Array; pooled: Float32Array; length: Int32Array } {
    const { width } = this;
    const told = {
      embeddings: new Float32Array(captions.length * length * width),
      pooled: new Float32Array(captions.length * width),
      length: new Int32Array(captions.length),
    };
    captions.forEach((caption, i) => {
      const { embeddings, pooled } = this.get(caption);
      told.embeddings.set(embeddings.subarray(0, length * width), i * length * width);
      told.pooled.set(pooled, i * width);
      told.length[i] = Math.min(length, embeddings.length / width);
    });
    return told;
  }

  #find(caption: string): number {
    const i = this.#index.get(hexOf(caption));
    if (i !== undefined) return i;
    const advice = 'Encode it too: rectiflow data encode-text';
    throw dataError(this.path, `the caption "${caption}" is not among the encoded ones`, advice);
  }

  #rows({ dtype, data }: StoredTensor, from: number, to: number): Float32Array {
    const { width } = this;
    const part = data.slice(from * width, to * width);
    return toFloat32({ dtype, shape: [to - from, width], data: part });
  }
}

function keyOf(caption: string): Buffer {
  return createHash('sha256').update(caption).digest();
}

function hexOf(caption: string): string {
  return keyOf(caption).toString('hex');
}
