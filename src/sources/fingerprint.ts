import { createHash } from 'node:crypto';
import { FingerprintParts } from '../data/fingerprint.ts';

/** Hashed on the way. */
export class Fingerprint extends FingerprintParts {
  readonly #hash = createHash('sha256');

  protected update(part: string | Uint8Array): void {
    this.#hash.update(part);
  }

  end(): string {
    return this.#hash.digest('hex');
  }
}
