// What a folder of pairs says of itself: by which model they are made, how, and which of them are there.
import { join } from 'node:path';
import { z } from 'zod';
import { parseJsonObject } from '../../formats/json.ts';
import { readRegular } from '../../host/regular-file.ts';
import { fileError, systemProblem } from '../../tensor/errors.ts';

/** The file that says it. */
export const PAIRS_MANIFEST = 'pairs.json';
/** Tensors of a shard. */
export const NOISE = 'noise';
export const SAMPLES = 'samples';
export const LABELS = 'labels';
/** UTF-8: JSON with a list `captions`, one of each pair. */
export const CAPTIONS = 'captions';

/** Some pairs, one behind the other. */
export interface PairsShard {
  readonly name: string;
  readonly count: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** The weights that made samples of noise. */
export interface Teacher {
  /** The folder of its run, as it was called. */
  readonly run: string;
  readonly step: number;
  readonly weights: 'ema' | 'model';
  /** Of their file: which weights they are, wherever the run lies. */
  readonly sha256: string;
}

/** How samples were made of noise. */
export interface PairsSampling {
  /** Pair i begins with noise that is a function of (seed, i), and is told what follows from them and the data. */
  readonly seed: number;
  readonly sampler: string;
  readonly steps: number;
  readonly timeShift: number;
  readonly rtol: number;
  readonly atol: number;
  readonly guidance: number;
  readonly guidanceInterval: readonly [low: number, high: number];
}

/** What pairs are told: what samples of the data are, each as often as it is there; each class as often; nothing. */
export type ToldPairs = 'data' | 'uniform' | 'nothing';

export interface PairsManifest {
  readonly format: 'rectiflow pairs';
  readonly version: 1;
  /** Pairs of all shards; there are fewer as long as they are being made. */
  readonly count: number;
  readonly perShard: number;
  /** Of a sample, and of its noise. */
  readonly shape: readonly number[];
  readonly classes?: number;
  readonly classNames?: readonly string[];
  readonly captions: boolean;
  /** `SourceFacts.record`: what values mean is what they mean to the teacher. */
  readonly record?: Readonly<Record<string, unknown>>;
  readonly teacher: Teacher;
  readonly sampling: PairsSampling;
  readonly told: ToldPairs;
  /** What computed them: other kernels round in other places. */
  readonly kernels: string;
  /** Those that are there, in order. */
  readonly files: readonly PairsShard[];
}

const whole = z.number().int().nonnegative();
const digest = z.string().regex(/^[0-9a-f]{64}$/);

const schema: z.ZodType<PairsManifest> = z.object({
  format: z.literal('rectiflow pairs'),
  version: z.literal(1),
  count: whole.positive(),
  perShard: whole.positive(),
  shape: z.array(whole.positive()).min(1),
  classes: whole.exactOptional(),
  classNames: z.array(z.string()).exactOptional(),
  captions: z.boolean(),
  record: z.record(z.string(), z.unknown()).exactOptional(),
  teacher: z.object({ run: z.string(), step: whole, weights: z.enum(['ema', 'model']), sha256: digest }),
  sampling: z.object({
    seed: whole,
    sampler: z.string(),
    steps: whole,
    timeShift: z.number(),
    rtol: z.number(),
    atol: z.number(),
    guidance: z.number(),
    guidanceInterval: z.tuple([z.number(), z.number()]),
  }),
  told: z.enum(['data', 'uniform', 'nothing']),
  kernels: z.string(),
  files: z.array(
    z.object({
      name: z.string().regex(/^[^/\\]+$/),
      count: whole.positive(),
      bytes: whole,
      sha256: digest,
    }),
  ),
});

/** What to do about a file that is damaged. */
export const MAKE_AGAIN = 'Give the command that made the pairs again: what is damaged is made anew';
const ANEW = 'Remove the folder, and make the pairs again';

/**
 * @returns undefined where the folder holds no pairs
 * @throws RectiflowError where what it says is damaged
 */
export async function readPairsManifest(folder: string): Promise<PairsManifest | undefined> {
  const path = join(folder, PAIRS_MANIFEST);
  let bytes: Uint8Array;
  try {
    bytes = await readRegular(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileError(path, systemProblem(error), 'Check the path', error);
  }
  const manifest = schema.safeParse(parseJsonObject(bytes, path, ANEW));
  if (manifest.success) return manifest.data;
  const [issue] = manifest.error.issues;
  throw fileError(path, `is no manifest of pairs: ${issue!.path.join('.')}: ${issue!.message}`, ANEW);
}

/** What a set of pairs is to be, before it is known what will compute it. */
export type PairsPlan = Omit<PairsManifest, 'kernels' | 'files'>;

/** Pairs that are there. */
export function countMade({ files }: Pick<PairsManifest, 'files'>): number {
  return files.reduce((sum, { count }) => sum + count, 0);
}

/** `pairs-000012.safetensors` */
export function shardName(index: number): string {
  return `pairs-${String(index).padStart(6, '0')}.safetensors`;
}
