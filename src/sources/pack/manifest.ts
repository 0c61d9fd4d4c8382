import { join } from 'node:path';
import { z } from 'zod';
import { readRegular } from '../../host/regular-file.ts';
import { parseJsonObject } from '../../formats/json.ts';
import { fileError, systemProblem } from '../../tensor/errors.ts';

/** The file in a packed folder that says what the others are. */
export const MANIFEST = 'pack.json';
export const SAMPLES = 'samples.bin';
export const LABELS = 'labels.bin';
export const CAPTIONS = 'captions.jsonl';

export interface PackedFile {
  readonly name: string;
  /** Of a shard: its samples. */
  readonly count?: number;
  readonly bytes: number;
  readonly sha256: string;
}

export interface Manifest {
  readonly format: 'rectiflow pack';
  readonly version: 1;
  readonly form: 'array' | 'shards';
  readonly count: number;
  /** Of one sample. */
  readonly shape: readonly number[];
  /** Of an array: how samples.bin has its values, little endian. uint8 is 0 to 255 for -1 to 1. */
  readonly dtype?: 'uint8' | 'float32';
  /** Of an array: whether all values lie in [-1, 1]. */
  readonly bounded?: boolean;
  readonly classes?: number;
  readonly classNames?: readonly string[];
  readonly captions: boolean;
  /** `SourceFacts.record` */
  readonly record?: Readonly<Record<string, unknown>>;
  readonly files: readonly PackedFile[];
}

const whole = z.number().int().nonnegative();

const schema: z.ZodType<Manifest> = z.object({
  format: z.literal('rectiflow pack'),
  version: z.literal(1),
  form: z.enum(['array', 'shards']),
  count: whole,
  shape: z.array(whole.positive()).min(1),
  dtype: z.enum(['uint8', 'float32']).exactOptional(),
  bounded: z.boolean().exactOptional(),
  classes: whole.exactOptional(),
  classNames: z.array(z.string()).exactOptional(),
  captions: z.boolean(),
  record: z.record(z.string(), z.unknown()).exactOptional(),
  files: z.array(
    z.object({
      name: z.string().regex(/^[^/\\]+$/),
      count: whole.exactOptional(),
      bytes: whole,
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});

/**
 * Reads what a packed folder holds.
 * @throws RectiflowError where the folder was not packed, or its manifest is damaged
 */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST);
  const bytes = await readRegular(path).catch((error: unknown) => {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw isMissing
      ? fileError(
          folder,
          `is a folder without ${MANIFEST}`,
          'Name a folder made by `rectiflow data pack`, or a file',
          error,
        )
      : fileError(path, systemProblem(error), 'Check the path', error);
  });
  const advice = 'Pack the data again';
  const manifest = schema.safeParse(parseJsonObject(bytes, path, advice));
  if (manifest.success) return manifest.data;
  const [issue] = manifest.error.issues;
  throw fileError(path, `is no manifest of a pack: ${issue!.path.join('.')}: ${issue!.message}`, advice);
}
