// The latents of LightningDiT (https://github.com/hustvl/LightningDiT): safetensors shards, each with
//   latents [N, C, H, W], one draw of each image; latents_flip [N, C, H, W], of the mirrored images; labels [N],
// and latents_stats.pt beside them: mean and std [1, C, 1, 1], by which its models see them as (latent - mean) / std.
import { readdir } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bytesIn, bytesOf } from '../../formats/safetensors.ts';
import { readSafetensorsHeader } from '../../formats/safetensors-file.ts';
import { type TensorFile, readElement, readLabelTensors } from '../../formats/tensor-file.ts';
import type { FilePool } from '../../host/file-pool.ts';
import { checkLabels } from '../../data/arrays.ts';
import type { BadSamplePolicy } from '../../data/bad-samples.ts';
import type { ImageShape } from '../../data/source.ts';
import { type Unused, unusedOf } from '../../data/told.ts';
import { fileError, formatShape } from '../../tensor/errors.ts';
import { sameShape } from '../../tensor/shape.ts';
import { toFloat32 } from '../../tensor/to-float32.ts';
import { readClassNames } from '../class-names.ts';
import { lookedAt } from '../../data/fingerprint.ts';
import { Fingerprint } from '../fingerprint.ts';
import type { LatentItems } from './items.ts';
import { PlaceTable } from './place-table.ts';
import { readStatistics } from './statistics-file.ts';

const STATISTICS = 'latents_stats.pt';
const USED = ['latents', 'latents_flip', 'labels'] as const;
const REMEASURE = 'Remove it, and set data.scaling to statistics: they are measured then';
const AGAIN = 'Encode the images again, or leave the file out';
const mostRead = 1000;

type Tensors = Readonly<Partial<Record<(typeof USED)[number], TensorFile>>>;

/** Whether shards of a folder are in this layout, by one of them. */
export async function isLightning(path: string): Promise<boolean> {
  const { slots } = await readSafetensorsHeader(path);
  return slots.some(({ name }) => name === 'latents');
}

/** @throws RectiflowError naming the shard that is damaged or does not fit the others */
export async function openLightning(
  folder: string,
  pool: FilePool,
  onBadSample: BadSamplePolicy,
): Promise<LatentItems> {
  const names = (await readdir(folder)).toSorted();
  const shards = names.filter((name) => name.endsWith('.safetensors'));
  const others = new Set<string>();
  const tensors: Tensors[] = [];
  for (const shard of shards) tensors.push(await openShard(join(folder, shard), others));
  const shape = shapeOf(tensors);
  const isMirrored = tensors.every(({ latents_flip: flipped }) => flipped !== undefined);
  const labelTensors = tensors.flatMap((shard) => shard.labels ?? []);
  const places = new PlaceTable(tensors.map(({ latents }) => latents!.shape[0]!));
  const labels =
    labelTensors.length === tensors.length ? await readLabelTensors(labelTensors, pool) : undefined;
  const classNames = labels && (await readClassNames(folder));
  const classes =
    labels &&
    checkLabels(labels, places.count, { name: folder, onBadSample, ...(classNames && { classNames }) });
  const statistics = join(folder, STATISTICS);
  const describe = (index: number): string => {
    const { part, at } = places.find(index);
    return `${join(folder, shards[part]!)}: sample ${at}`;
  };
  return {
    name: folder,
    count: places.count,
    shape,
    isMirrored,
    hasDeviations: false,
    async read(index, mirrored) {
      const { part, at } = places.find(index);
      const { latents, latents_flip: flipped } = tensors[part]!;
      return { mean: toFloat32(await readElement(mirrored ? flipped! : latents!, at, pool)) };
    },
    labels,
    classes,
    classNames,
    describe,
    async fingerprint() {
      const digest = new Fingerprint().texts(tensors.map(({ latents }) => latents!.shape.join()));
      for (const index of lookedAt(places.count, bytesIn('F32', shape), mostRead)) {
        const { part, at } = places.find(index);
        digest.bytes(bytesOf((await readElement(tensors[part]!.latents!, at, pool)).data));
      }
      if (labels) digest.labels(places.count, (index) => labels[index], classNames);
      return digest.end();
    },
    statistics: existsSync(statistics) ? await readStatistics(statistics, shape[0], REMEASURE) : undefined,
    told: { label: 'the tensor labels' },
    unused: unusedIn(tensors, [...others]),
    close: () => pool.close(),
  };
}

async function openShard(path: string, others: Set<string>): Promise<Tensors> {
  const { slots, dataStart } = await readSafetensorsHeader(path);
  const tensors: Partial<Record<(typeof USED)[number], TensorFile>> = {};
  for (const { name, dtype, shape, begin } of slots) {
    const used = USED.find((each) => each === name);
    if (used) tensors[used] = { path, name: `${path}: ${name}`, dtype, shape, start: dataStart + begin };
    else others.add(name);
  }
  const { latents, latents_flip: flipped, labels } = tensors;
  if (latents === undefined)
    throw fileError(path, 'has no tensor "latents", as the other shards have', AGAIN);
  if (latents.shape.length !== 4 || latents.shape.includes(0))
    throw fileError(latents.name, `has shape ${formatShape(latents.shape)}, wanted [N, C, H, W]`, AGAIN);
  if (flipped && !sameShape(flipped.shape, latents.shape)) {
    const problem = `has shape ${formatShape(flipped.shape)}, latents have ${formatShape(latents.shape)}`;
    throw fileError(flipped.name, problem, AGAIN);
  }
  if (labels && labels.shape[0] !== latents.shape[0]) {
    const problem = `has shape ${formatShape(labels.shape)}, wanted one label for each of ${latents.shape[0]}`;
    throw fileError(labels.name, problem, AGAIN);
  }
  return tensors;
}

function shapeOf(tensors: readonly Tensors[]): ImageShape {
  const [, ...shape] = tensors[0]!.latents!.shape;
  const odd = tensors.find(({ latents }) => !sameShape(latents!.shape.slice(1), shape));
  if (odd === undefined) return shape as unknown as ImageShape;
  const problem = `has latents ${formatShape(odd.latents!.shape.slice(1))}, the first shard ${formatShape(shape)}`;
  throw fileError(odd.latents!.path, problem, 'Put latents of each size into a folder of their own');
}

function unusedIn(tensors: readonly Tensors[], others: readonly string[]): Unused[] {
  const partly = (name: 'latents_flip' | 'labels'): string[] => {
    const having = tensors.filter((each) => each[name] !== undefined);
    return having.length < tensors.length ? having.map((each) => each[name]!.name) : [];
  };
  return [
    unusedOf('tensor', partly('labels'), 'Only some shards have labels: give them to all.'),
    unusedOf('tensor', partly('latents_flip'), 'Only some shards have mirrored latents: give them to all.'),
    unusedOf('tensor', others),
  ].filter(({ count }) => count > 0);
}
