// state.json of a checkpoint: what it holds beside tensors, and the checksums of its files. It is written last, so that a checkpoint
// without it is none.
import { parseJsonObject } from '../formats/json.ts';
import { RectiflowError, fileError, runError } from '../tensor/errors.ts';
import type { FileDigest } from '../tensor/file-digest.ts';
import { sha256 as digestOf } from '../tensor/sha256.ts';
import { stepName } from './layout.ts';

export const FORMAT = 1;
export const DAMAGED = 'The checkpoint is damaged: use an earlier one';

/** What state.json holds beside its checksum. */
export interface State {
  readonly format: typeof FORMAT;
  readonly step: number;
  readonly state: Readonly<Record<string, unknown>>;
  readonly files: Readonly<Record<string, FileDigest>>;
}

/** The content of state.json. The last member is the checksum of the others, so that this file, too, can be checked. */
export async function encodeState(state: State): Promise<string> {
  const sha256 = await digestOf(JSON.stringify(state));
  return `${JSON.stringify({ ...state, sha256 }, null, 2)}\n`;
}

/** @throws RectiflowError where it is damaged, or of another version */
export async function parseState(bytes: Uint8Array, path: string): Promise<State> {
  const { sha256: _, ...state } = parseJsonObject(bytes, path, DAMAGED) as unknown as State & {
    sha256: string;
  };
  if (state.format !== FORMAT) {
    const problem = `has format ${String(state.format)}, this version reads ${FORMAT}`;
    throw fileError(path, problem, 'Use the version of rectiflow that wrote it');
  }
  // Encoding gives back the same bytes unless one of them changed: no white space is left unchecked.
  if ((await encodeState(state)) !== new TextDecoder().decode(bytes))
    throw fileError(path, 'does not match its checksum', DAMAGED);
  return state;
}

/** @throws RectiflowError where a file is not as it was written */
export function checkDigest(file: string, found: FileDigest, written: FileDigest): void {
  if (found.bytes !== written.bytes)
    throw fileError(file, `has ${found.bytes} bytes, ${written.bytes} were written`, DAMAGED);
  if (found.sha256 !== written.sha256)
    throw fileError(file, `has SHA-256 ${found.sha256}, ${written.sha256} was written`, DAMAGED);
}

/**
 * The newest checkpoint that is intact.
 * @param folder of the checkpoints @param steps that have one, ascending
 * @param verify opens one, and throws a RectiflowError where it is not intact
 * @param onDamaged is told of each newer one that is not, and what is wrong with it
 * @throws RectiflowError when there is none, with what is wrong with each
 */
export async function newestIntact<T>(
  folder: string,
  steps: readonly number[],
  verify: (name: string) => Promise<T>,
  onDamaged: (problem: RectiflowError) => void = () => {},
): Promise<T> {
  const problems: RectiflowError[] = [];
  for (const step of steps.toReversed()) {
    try {
      const saved = await verify(stepName(step));
      for (const problem of problems) onDamaged(problem);
      return saved;
    } catch (error) {
      if (!(error instanceof RectiflowError)) throw error;
      problems.push(error);
    }
  }
  if (problems.length === 0)
    throw runError(folder, 'there is no checkpoint yet', 'Train until the first one is saved');
  throw new RectiflowError('run', [
    `${folder}: no checkpoint is intact:`,
    ...problems.map(({ message }) => `  ${message}`),
    'Restore one from a backup, or train again.',
  ]);
}
