// What tells a set of samples from another without reading all of it.
import { joined } from '../tensor/joined.ts';
import { sha256 } from '../tensor/sha256.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Captions } from './source.ts';

/** Samples whose values are looked at, at most. */
const mostSamples = 10_000;
/** Samples of a file of an array, at most: each is another place on the disk. */
const mostOfArray = 1000;
/** Bytes of values that are looked at, at most: about a tenth of a second. */
const mostBytes = 1 << 26;
/** Texts that are hashed at a time. */
const batch = 4096;

/** A digest of what is cheap to know of a set. What it is made of must be the same wherever the set lies: no path above it, no time. */
export abstract class FingerprintParts {
  protected abstract update(part: string | Uint8Array): void;

  /** Each as it is: `["a", "b"]` and `["ab"]` are different. */
  texts(texts: Iterable<string>): this {
    let some: string[] = [];
    for (const text of texts) {
      some.push(text);
      if (some.length < batch) continue;
      this.update(JSON.stringify(some));
      some = [];
    }
    this.update(JSON.stringify(some));
    return this;
  }

  /** The label of every sample, by its name where classes have names: their order does not count. */
  labels(count: number, label: (index: number) => number | undefined, names: readonly string[] = []): this {
    const texts = function* (): Generator<string> {
      for (let index = 0; index < count; index++) {
        const found = label(index);
        yield found === undefined ? '' : (names[found] ?? String(found));
      }
    };
    return this.texts(texts());
  }

  bytes({ buffer, byteOffset, byteLength }: ArrayBufferView): this {
    this.update(new Uint8Array(buffer, byteOffset, byteLength));
    return this;
  }
}

/** Of parts that stay in memory until they are hashed together: what every host can do. */
export class FingerprintInMemory extends FingerprintParts {
  readonly #parts: Uint8Array[] = [];

  protected update(part: string | Uint8Array): void {
    this.#parts.push(typeof part === 'string' ? new TextEncoder().encode(part) : part);
  }

  end(): Promise<string> {
    return sha256(joined(this.#parts));
  }
}

/** What is looked at of an array of samples. */
export interface FingerprintedArray {
  /** As safetensors calls it. */
  readonly dtype: string;
  /** [N, ...] */
  readonly shape: Shape;
  /** Bytes of a sample. */
  readonly sampleBytes: number;
  /** The values of a sample; nothing where they cannot be read, which is told when it is. */
  values(index: number): ArrayBufferView | Promise<ArrayBufferView>;
  readonly labels?: ArrayLike<number> | undefined;
  readonly classNames?: readonly string[] | undefined;
  /** The captions of a sample; none of a set that has none. */
  caption?: ((index: number) => Captions | Promise<Captions>) | undefined;
}

/** The fingerprint of a file of samples, wherever it is read. */
export async function addArray<Digest extends FingerprintParts>(
  digest: Digest,
  { dtype, shape, sampleBytes, values, labels, classNames, caption }: FingerprintedArray,
): Promise<Digest> {
  const count = shape[0]!;
  digest.texts([dtype, ...shape.map(String)]);
  for (const index of lookedAt(count, sampleBytes, mostOfArray)) digest.bytes(await values(index));
  if (labels) digest.labels(count, (index) => labels[index], classNames);
  if (caption) {
    const captions: string[] = [];
    for (const index of spreadIndices(count)) captions.push(JSON.stringify(await caption(index)));
    digest.texts(captions);
  }
  return digest;
}

/** At most `most` indices of a set, evenly spread over it. */
export function spreadIndices(count: number, most: number = mostSamples): number[] {
  const length = Math.min(count, most);
  return Array.from({ length }, (_, i) => Math.floor((i * count) / length));
}

/** The samples of an array whose values are looked at, at most `most`. @param bytes of one of them */
export function lookedAt(count: number, bytes: number, most: number = mostSamples): number[] {
  return spreadIndices(count, Math.min(most, Math.max(1, Math.floor(mostBytes / bytes))));
}
