// state.json of a checkpoint on the disk.
import { z } from 'zod';
import { readRegular } from '../host/regular-file.ts';
import { DAMAGED, FORMAT, type State, parseState } from '../kept/checkpoint-state.ts';
import { fileError, systemProblem } from '../tensor/errors.ts';

const whole = z.number().int().nonnegative();

const schema = z.object({
  format: z.literal(FORMAT),
  step: whole,
  state: z.record(z.string(), z.unknown()),
  files: z.record(z.string(), z.object({ bytes: whole, sha256: z.string() })),
});

/** @throws RectiflowError where it is missing, damaged, or of another version */
export async function readState(path: string): Promise<State> {
  const bytes = await readRegular(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), DAMAGED, error);
  });
  const state = await parseState(bytes, path);
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
