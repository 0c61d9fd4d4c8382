import { type RectiflowError, fileError } from '../tensor/errors.ts';

/**
 * A JSON object from UTF-8 bytes, refusing what JSON.parse lets pass in silence: bytes that are no UTF-8, and an object
 * that names a key twice (readers would disagree about which counts).
 * @throws RectiflowError naming `origin`
 */
export function parseJsonObject(bytes: Uint8Array, origin: string, advice: string): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw invalid(cause, origin, advice);
  }
  return parseJsonText(text, origin, advice);
}

/** The same of text. */
export function parseJsonText(text: string, origin: string, advice: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(cause, origin, advice);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw fileError(origin, 'holds JSON that is not an object', advice);
  }
  const duplicate = duplicateKey(text);
  if (duplicate !== undefined) throw fileError(origin, `names the key "${duplicate}" twice`, advice);
  return value as Record<string, unknown>;
}

function invalid(cause: unknown, origin: string, advice: string): RectiflowError {
  return fileError(origin, `holds no valid JSON (${(cause as Error).message})`, advice, cause);
}

/**
 * The first key that one object of a valid JSON text holds twice; keys are equal when they are after reading their escapes.
 * A scan by hand, because a regular expression can run out of stack on a hostile header of many megabytes.
 */
function duplicateKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  for (let i = 0; i < json.length; i++) {
    const letter = json[i];
    if (letter === '{' || letter === '[') open.push(new Set());
    else if (letter === '}' || letter === ']') open.pop();
    else if (letter === '"') {
      const start = i++;
      while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1;
      if (!isFollowedByColon(json, i + 1)) continue;
      const key = JSON.parse(json.slice(start, i + 1)) as string;
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

function isFollowedByColon(json: string, from: number): boolean {
  let i = from;
  while (json[i] === ' ' || json[i] === '\n' || json[i] === '\t' || json[i] === '\r') i++;
  return json[i] === ':';
}
