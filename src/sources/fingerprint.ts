// What tells a set of samples from another without reading all of it.
import { createHash } from 'node:crypto';

/** Samples whose values are looked at, at most. */
const mostSamples = 10_000;
/** Bytes of values that are looked at, at most: about a tenth of a second. */
const mostBytes = 1 << 26;
/** Texts that are hashed at a time. */
const batch = 4096;

/** A digest of what is cheap to know of a set. What it is made of must be the same wherever the set lies: no path above it, no time. */
export class Fingerprint {
  readonly #hash = createHash('sha256');

  /** Each as it is: `["a", "b"]` and `["ab"]` are different. */
  texts(texts: Iterable<string>): this {
    let some: string[] = [];
    for (const text of texts) {
      some.push(text);
      if (some.length < batch) continue;
      this.#hash.update(JSON.stringify(some));
      some = [];
    }
    this.#hash.update(JSON.stringify(some));
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
    this.#hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    return this;
  }

  end(): string {
    return this.#hash.digest('hex');
  }
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
