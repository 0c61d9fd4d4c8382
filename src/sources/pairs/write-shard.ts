import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Annotation } from '../../data/source.ts';
import { writeSafetensors } from '../../formats/safetensors-file.ts';
import { replaceDurably, syncDirectory } from '../../host/durable.ts';
import { RectiflowError, fileError, systemProblem } from '../../tensor/errors.ts';
import type { StoredTensor } from '../../tensor/stored-tensor.ts';
import {
  CAPTIONS,
  LABELS,
  NOISE,
  PAIRS_MANIFEST,
  type PairsManifest,
  type PairsShard,
  SAMPLES,
  shardName,
} from './manifest.ts';

export interface ShardOfPairs {
  /** [n, ...shape] each, row-major. */
  readonly noise: Float32Array;
  readonly samples: Float32Array;
  /** What each was told. */
  readonly annotations: readonly Annotation[];
}

/**
 * Puts a shard into a folder, behind those that are there or in the place of one: it is written under another name, flushed to the
 * disk and renamed, and only then counts. Whatever stops that leaves the pairs that were there.
 * @param index of the shard
 * @returns what the folder holds now
 * @throws RectiflowError naming the file where it cannot be written; nothing of it is left then
 */
export async function putShard(
  folder: string,
  manifest: PairsManifest,
  index: number,
  { noise, samples, annotations }: ShardOfPairs,
): Promise<PairsManifest> {
  const name = shardName(index);
  const path = join(folder, name);
  const temporary = `${path}.tmp-${process.pid}`;
  const count = annotations.length;
  const shape = [count, ...manifest.shape];
  const tensors = new Map<string, StoredTensor>([
    [NOISE, { dtype: 'F32', shape, data: noise }],
    [SAMPLES, { dtype: 'F32', shape, data: samples }],
  ]);
  if (manifest.classes !== undefined) {
    const data = Int32Array.from(annotations, ({ label }) => label!);
    tensors.set(LABELS, { dtype: 'I32', shape: [count], data });
  }
  if (manifest.captions) {
    const data = new Uint8Array(
      Buffer.from(JSON.stringify({ captions: annotations.map(({ caption }) => caption) })),
    );
    tensors.set(CAPTIONS, { dtype: 'U8', shape: [data.length], data });
  }
  try {
    await rm(temporary, { force: true });
    const digest = await writeSafetensors(temporary, tensors, { format: 'rectiflow pairs' });
    await rename(temporary, path);
    await syncDirectory(folder);
    const shard: PairsShard = { name, count, ...digest };
    const others = manifest.files.filter((file) => file.name !== name);
    const files = [...others, shard].toSorted((a, b) => (a.name < b.name ? -1 : 1));
    return await writePairsManifest(folder, { ...manifest, files });
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    if (error instanceof RectiflowError) throw error;
    const problem = `the pairs cannot be written: ${systemProblem(error)}`;
    const advice = 'Make room; the same command goes on with the pairs that are there';
    throw fileError(path, problem, advice, error);
  }
}

/** Replaces what a folder says of itself. */
export async function writePairsManifest(folder: string, manifest: PairsManifest): Promise<PairsManifest> {
  await replaceDurably(join(folder, PAIRS_MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}
