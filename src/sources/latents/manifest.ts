import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readRegular } from '../../host/regular-file.ts';
import { parseJsonObject } from '../../formats/json.ts';
import type { LatentScale } from '../../tensor/latent-scale.ts';
import { fileError, systemProblem } from '../../tensor/errors.ts';
import type { ChannelStatistics } from './items.ts';

/** The file in a folder of latents that says what the others are; it is written last. */
export const LATENTS = 'latents.json';
/** In its place while images are encoded. */
export const ENCODING = 'encoding.json';
/** The folder within with the autoencoder. */
export const AUTOENCODER = 'autoencoder';

export interface EncodedFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A file of latents, and that of its captions. */
export interface EncodedShard extends EncodedFile {
  /** Samples. */
  readonly count: number;
  readonly captions?: EncodedFile;
}

/** What decides what latents are, and what no two halves of a set may differ in. */
export interface EncodingSettings {
  /** Of the config, as it was given. */
  readonly data: unknown;
  /** Of the images' set. */
  readonly fingerprint?: string;
  readonly samples: number;
  /** [C, H, W] of the images, as they were encoded. */
  readonly pictures: readonly number[];
  /** [C, H, W] of the latents. */
  readonly shape: readonly number[];
  /** Of the numbers in the files. */
  readonly precision: 'float32' | 'float16';
  readonly deviations: boolean;
  /** How often images were to be mirrored; above 0, the mirrored images are encoded, too. */
  readonly flip: number;
  readonly samplesPerShard: number;
  readonly onBadSample: 'fail' | 'skip';
  readonly classes?: number;
  readonly classNames?: readonly string[];
  readonly captions: 'none' | 'one' | 'several';
  readonly autoencoder: {
    readonly kind: string;
    readonly fingerprint: string;
    readonly scaling: LatentScale;
  };
}

export interface LatentsManifest {
  readonly format: 'rectiflow latents';
  readonly version: 1;
  /** Of the samples, without those that were left out. */
  readonly count: number;
  readonly settings: EncodingSettings;
  readonly statistics: ChannelStatistics;
  readonly shards: readonly EncodedShard[];
  /** Of the autoencoder. */
  readonly files: readonly EncodedFile[];
}

/** What a shard says of each of its images. */
export type LatentTensor = 'mean' | 'deviation' | 'mean_flip' | 'deviation_flip';

/** The tensors of a shard, in the order in which a record of the journal has their numbers. */
export function tensorNames({
  deviations,
  flip,
}: Pick<EncodingSettings, 'deviations' | 'flip'>): LatentTensor[] {
  return (flip > 0 ? (['', '_flip'] as const) : ([''] as const)).flatMap((ending) => [
    `mean${ending}` as const,
    ...(deviations ? [`deviation${ending}` as const] : []),
  ]);
}

const whole = z.number().int().nonnegative();
const perChannel = z.union([z.number(), z.array(z.number())]);
const file = {
  name: z.string().regex(/^(?:autoencoder\/)?[^/\\]+$/),
  bytes: whole,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
};

export const shardSchema: z.ZodType<EncodedShard> = z.object({
  ...file,
  count: whole,
  captions: z.object(file).exactOptional(),
});

export const settingsSchema: z.ZodType<EncodingSettings> = z.object({
  data: z.unknown(),
  fingerprint: z.string().exactOptional(),
  samples: whole,
  pictures: z.array(whole.positive()).length(3),
  shape: z.array(whole.positive()).length(3),
  precision: z.enum(['float32', 'float16']),
  deviations: z.boolean(),
  flip: z.number().min(0).max(1),
  samplesPerShard: whole.positive(),
  onBadSample: z.enum(['fail', 'skip']),
  classes: whole.exactOptional(),
  classNames: z.array(z.string()).exactOptional(),
  captions: z.enum(['none', 'one', 'several']),
  autoencoder: z.object({
    kind: z.string(),
    fingerprint: z.string(),
    scaling: z.object({ scale: perChannel, shift: perChannel }),
  }),
});

const schema: z.ZodType<LatentsManifest> = z.object({
  format: z.literal('rectiflow latents'),
  version: z.literal(1),
  count: whole,
  settings: settingsSchema,
  statistics: z.object({ mean: z.array(z.number()), deviation: z.array(z.number()) }),
  shards: z.array(shardSchema),
  files: z.array(z.object(file)),
});

const ADVICE = 'Encode the images again: rectiflow data encode';

/**
 * Reads what a folder of latents holds.
 * @throws RectiflowError where its images are not all encoded yet, or the file is damaged
 */
export async function readLatentsManifest(folder: string): Promise<LatentsManifest> {
  const path = join(folder, LATENTS);
  if (!existsSync(path) && existsSync(join(folder, ENCODING))) {
    const advice = 'Run the same `rectiflow data encode` again: it goes on where it was stopped';
    throw fileError(folder, 'is not complete: its images were not all encoded', advice);
  }
  return readRecord(path, schema, 'is no manifest of latents');
}

/** @throws RectiflowError naming the file that is missing, or has another form */
export async function readRecord<T>(path: string, form: z.ZodType<T>, problem: string): Promise<T> {
  const bytes = await readRegular(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), ADVICE, error);
  });
  const parsed = form.safeParse(parseJsonObject(bytes, path, ADVICE));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw fileError(path, `${problem}: ${issue!.path.join('.')}: ${issue!.message}`, ADVICE);
}
