// SHA-256 as every host of JavaScript has it: by Web Crypto, of bytes that are in memory.
import { RectiflowError } from './errors.ts';

/** Whether this host hashes: browsers do on pages of https: and localhost only. */
export function canHash(): boolean {
  return globalThis.crypto?.subtle !== undefined;
}

/**
 * @param bytes as a whole, or a text in UTF-8 @returns hexadecimal digits
 * @throws RectiflowError on a page that browsers do not hash for
 */
export async function sha256(bytes: Uint8Array<ArrayBuffer> | string): Promise<string> {
  if (!canHash())
    throw new RectiflowError(
      'file',
      'SHA-256: wanted Web Crypto, found a page of http:, which browsers give none. Open the page by https:, or from localhost.',
    );
  const data = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
  const digest = new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', data));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
