// state.json of a checkpoint: what it holds beside tensors, and the checksums of its files.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { parseJsonObject } from '../formats/json.ts';
import type { FileDigest } from '../host/durable.ts';
import { readRegular } from '../host/regular-file.ts';
import { fileError, systemProblem } from '../tensor/errors.ts';

export const FORMAT = 1;
export const DAMAGED = 'The checkpoint is damaged: use an earlier one';

const whole = z.number().int().nonnegative();

const schema = z.object({
  format: z.literal(FORMAT),
  step: whole,
  state: z.record(z.string(), z.unknown()),
  files: z.record(z.string(), z.object({ bytes: whole, sha256: z.string() })),
});

/** What state.json holds beside its checksum. */
export interface State {
  readonly format: typeof FORMAT;
  readonly step: number;
  readonly state: Readonly<Record<string, unknown>>;
  readonly files: Readonly<Record<string, FileDigest>>;
}

/** The content of state.json. The last member is the checksum of the others, so that this file, too, can be checked. */
export function encodeState(state: State): string {
  const sha256 = createHash('sha256').update(JSON.stringify(state)).digest('hex');
  return `${JSON.stringify({ ...state, sha256 }, null, 2)}\n`;
}

/** @throws RectiflowError where it is missing, damaged, or of another version */
export async function readState(path: string): Promise<State> {
  const bytes = await readRegular(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), DAMAGED, error);
  });
  const { sha256: _, ...state } = parseJsonObject(bytes, path, DAMAGED) as unknown as State & {
    sha256: string;
  };
  if (state.format !== FORMAT) {
    const problem = `has format ${String(state.format)}, this version reads ${FORMAT}`;
    throw fileError(path, problem, 'Use the version of rectiflow that wrote it');
  }
  // Encoding gives back the same bytes unless one of them changed: no white space is left unchecked.
  if (encodeState(state) !== bytes.toString()) throw fileError(path, 'does not match its checksum', DAMAGED);
  const parsed = schema.safeParse(state);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw fileError(
      path,
      `is no state of a checkpoint: ${issue!.path.join('.')}: ${issue!.message}`,
      DAMAGED,
    );
  }
  return state;
}
