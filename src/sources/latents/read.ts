// Latents that `rectiflow data encode` made: shards of safetensors, each with
//   mean, mean_flip [N, C, H, W]            of the images and of the mirrored ones
//   deviation, deviation_flip [N, C, H, W]  of an autoencoder that is not certain
//   labels [N] int32                        of a set with classes
// and captions in 000000.jsonl beside 000000.safetensors, a line each.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readSafetensorsHeader } from '../../formats/safetensors-file.ts';
import { type TensorFile, readElement, readLabelTensors } from '../../formats/tensor-file.ts';
import type { FilePool } from '../../host/file-pool.ts';
import type { Captions, ImageShape } from '../../data/source.ts';
import { checkLabels } from '../../data/arrays.ts';
import { fileError, formatShape, systemProblem } from '../../tensor/errors.ts';
import { sameShape } from '../../tensor/shape.ts';
import { toFloat32 } from '../../tensor/to-float32.ts';
import { Fingerprint } from '../fingerprint.ts';
import { CaptionLines } from '../pack/caption-lines.ts';
import type { LatentItems } from './items.ts';
import {
  AUTOENCODER,
  type EncodedFile,
  type EncodedShard,
  type LatentTensor,
  readLatentsManifest,
  tensorNames,
} from './manifest.ts';
import { PlaceTable } from './place-table.ts';

const AGAIN = 'Encode the images again: rectiflow data encode';

type Name = LatentTensor | 'labels';
type Tensors = ReadonlyMap<string, TensorFile>;

/**
 * Opens a folder made by `rectiflow data encode`.
 * @throws RectiflowError naming the file that is missing or is not as it was written
 */
export async function openEncoded(folder: string, pool: FilePool): Promise<LatentItems> {
  const { count, settings, statistics, shards } = await readLatentsManifest(folder);
  const { shape, classes, classNames, captions, autoencoder, flip, deviations } = settings;
  for (const file of shards.flatMap((shard) => [shard, ...(shard.captions ? [shard.captions] : [])]))
    await checkSize(folder, file);
  const wanted: Name[] = [...tensorNames(settings), ...(classes === undefined ? [] : (['labels'] as const))];
  const tensors: Tensors[] = [];
  for (const shard of shards) tensors.push(await openShard(folder, shard, wanted, shape));
  const lines = captions === 'none' ? undefined : await openLines(folder, shards);
  const places = new PlaceTable(shards.map((shard) => shard.count));
  const labels =
    classes === undefined
      ? undefined
      : await readLabelTensors(
          tensors.map((shard) => shard.get('labels')!),
          pool,
        );
  const names = { ...(classes !== undefined && { classes }), ...(classNames && { classNames }) };
  if (labels) checkLabels(labels, count, { name: folder, ...names });
  return {
    name: folder,
    count,
    shape: shape as unknown as ImageShape,
    isMirrored: flip > 0,
    hasDeviations: deviations,
    async read(index, mirrored) {
      const { part, at } = places.find(index);
      const read = async (name: Name): Promise<Float32Array> =>
        toFloat32(await readElement(tensors[part]!.get(name)!, at, pool));
      const ending = mirrored ? '_flip' : '';
      const [mean, deviation] = await Promise.all([
        read(`mean${ending}`),
        deviations ? read(`deviation${ending}`) : undefined,
      ]);
      return { mean, deviation };
    },
    labels,
    ...names,
    ...(lines && {
      caption(index: number): Promise<Captions> {
        const { part, at } = places.find(index);
        return lines[part]!.read(at, pool);
      },
    }),
    severalCaptions: captions === 'several',
    describe(index) {
      const { part, at } = places.find(index);
      return `${join(folder, shards[part]!.name)}: sample ${at}`;
    },
    // The manifest has digests of all that was encoded.
    fingerprint: () =>
      new Fingerprint()
        .texts([String(count), ...shards.flatMap((shard) => [shard.sha256, shard.captions?.sha256 ?? ''])])
        .end(),
    statistics,
    autoencoder: { ...autoencoder, path: join(folder, AUTOENCODER) },
    flip,
    close: () => pool.close(),
  };
}

async function checkSize(folder: string, { name, bytes }: EncodedFile): Promise<void> {
  const path = join(folder, name);
  const { size } = await stat(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), AGAIN, error);
  });
  if (size !== bytes) throw fileError(path, `has ${size} bytes, ${bytes} were written`, AGAIN);
}

async function openShard(
  folder: string,
  { name: file, count }: EncodedShard,
  wanted: readonly Name[],
  shape: readonly number[],
): Promise<Tensors> {
  const path = join(folder, file);
  const { slots, dataStart } = await readSafetensorsHeader(path);
  return new Map(
    wanted.map((name) => {
      const slot = slots.find((each) => each.name === name);
      const stored = name === 'labels' ? [count] : [count, ...shape];
      if (slot && sameShape(slot.shape, stored)) {
        const { dtype, begin } = slot;
        return [name, { path, name: `${path}: ${name}`, dtype, shape: stored, start: dataStart + begin }];
      }
      const found = slot ? formatShape(slot.shape) : 'none';
      throw fileError(path, `wanted a tensor ${name} ${formatShape(stored)}, found ${found}`, AGAIN);
    }),
  );
}

async function openLines(folder: string, shards: readonly EncodedShard[]): Promise<CaptionLines[]> {
  const lines: CaptionLines[] = [];
  for (const { captions, count, name } of shards) {
    if (captions === undefined) throw fileError(join(folder, name), 'has no file of captions', AGAIN);
    lines.push(await CaptionLines.open(join(folder, captions.name), count, AGAIN));
  }
  return lines;
}
