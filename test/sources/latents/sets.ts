// Sets of latents in the layouts of others, made as their tools write them.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { encodeSafetensors } from '../../../src/formats/safetensors.ts';
import type { StoredTensor } from '../../../src/tensor/stored-tensor.ts';
import { npy } from '../../support/npy.ts';
import { dict, pickle, tensor, torchArchive, zip } from '../../support/torch-archive.ts';

/** [C, H, W] of all sets here. */
export const shape = [2, 2, 3] as const;
export const size = 12;

/** A number that tells set, sample and element. */
export const value = (set: number, sample: number, i: number): number => set * 100 + sample * 10 + i / 16;

export const latent = (set: number, sample: number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => value(set, sample, i));

export async function write(path: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}

/** A shard of LightningDiT: samples `first` on; sets 1 and 2 are the latents and the mirrored ones. */
export function shard(
  first: number,
  labels: readonly number[],
  change: Record<string, StoredTensor> = {},
): Uint8Array {
  const of = (set: number): StoredTensor => ({
    dtype: 'F32',
    shape: [labels.length, ...shape],
    data: Float32Array.from(labels.flatMap((_, i) => [...latent(set, first + i)])),
  });
  return encodeSafetensors(
    new Map<string, StoredTensor>(
      Object.entries({
        latents: of(1),
        latents_flip: of(2),
        labels: { dtype: 'I64', shape: [labels.length], data: BigInt64Array.from(labels, BigInt) },
        ...change,
      }),
    ),
  );
}

/** latents_stats.pt: {'mean': [1, C, 1, 1], 'std': [1, C, 1, 1]} */
export function statistics(mean: readonly number[], std: readonly number[]): Buffer {
  const bytes = (values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
  const of = (key: string, values: readonly number[]): Buffer =>
    tensor({
      key,
      elements: values.length,
      shape: [1, values.length, 1, 1],
      strides: [values.length, 1, 1, 1],
    });
  return torchArchive(pickle(dict({ mean: of('0', mean), std: of('1', std) })), {
    0: bytes(mean),
    1: bytes(std),
  });
}

/** What numpy.savez writes: a zip archive of .npy members. */
export function npz(
  arrays: Readonly<Record<string, { shape: readonly number[]; data: Float32Array | BigInt64Array }>>,
): Buffer {
  return zip(
    Object.entries(arrays).map(([name, { shape: of, data }]) => ({
      name: `${name}.npy`,
      data: npy(data instanceof Float32Array ? '<f4' : '<i8', of, data),
    })),
  );
}

/** The .npy of a sample of EDM2 and REPA: the mean, then the deviation. */
export function meanAndDeviation(sample: number): Buffer {
  const data = Float32Array.from([...latent(1, sample), ...latent(2, sample)]);
  return npy('<f4', [2 * shape[0], shape[1], shape[2]], data);
}

/** A folder of EDM2 and REPA with so many samples. */
export async function edm2Folder(folder: string, labels: readonly number[] | null): Promise<string> {
  const names = (labels ?? [0, 0, 0]).map((_, i) => `00000/img-mean-std-${String(i).padStart(8, '0')}.npy`);
  for (const [i, name] of names.entries()) await write(join(folder, name), meanAndDeviation(i));
  const listed = labels && names.map((name, i) => [name, labels[i]]).toReversed();
  await write(join(folder, 'dataset.json'), JSON.stringify({ labels: listed }));
  return folder;
}
