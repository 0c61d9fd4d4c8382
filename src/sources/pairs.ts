import { readElement } from '../formats/tensor-file.ts';
import type { Source, SourceFacts } from '../data/source.ts';
import { writeLatents } from '../data/values.ts';
import { type FilePool, withPool } from '../host/file-pool.ts';
import { grouped } from '../tensor/counted.ts';
import { fileError } from '../tensor/errors.ts';
import { Fingerprint } from './fingerprint.ts';
import {
  PAIRS_MANIFEST,
  type PairsManifest,
  type PairsPlan,
  countMade,
  readPairsManifest,
} from './pairs/manifest.ts';
import { type OpenShard, openShard } from './pairs/open-shard.ts';
import { Parts } from './parts.ts';
import type { PairsData } from './settings.ts';

/**
 * Opens pairs of noise and the samples that a model made of it, as `rectiflow reflow` makes them: a sample is read with its noise, and
 * with the label or the caption that it was made for.
 * @throws RectiflowError where there are none, not all of them are made, or a file is missing or of another size or shape
 */
export async function openPairs(data: PairsData): Promise<Source> {
  const manifest = await readPairsManifest(data.path);
  if (manifest === undefined) {
    const advice = 'Name a folder made by `rectiflow reflow`';
    throw fileError(data.path, `holds no pairs: there is no ${PAIRS_MANIFEST}`, advice);
  }
  const made = countMade(manifest);
  if (made < manifest.count) {
    const problem = `holds ${grouped(made)} of ${grouped(manifest.count)} pairs`;
    throw fileError(data.path, problem, 'Give the command that made them again, which goes on');
  }
  return withPool((pool) => openFolder(data.path, manifest, pool));
}

async function openFolder(folder: string, manifest: PairsManifest, pool: FilePool): Promise<Source> {
  const { captions, files } = manifest;
  const parts = new Parts(files.map(({ count }) => count));
  const shards: OpenShard[] = [];
  for (const shard of files) shards.push(await openShard(folder, shard, manifest, pool));
  const describe = (index: number): string => `${folder}: pair ${index}`;
  const captionAt = async (index: number): Promise<string> => {
    const [part, within] = parts.locate(index);
    return (await shards[part]!.captions())[within]!;
  };
  return {
    ...factsOfPairs(folder, manifest),
    ...(captions && { caption: captionAt }),
    async read(index, out, offset) {
      const [part, within] = parts.locate(index);
      const { noise, samples, labels } = shards[part]!;
      const sample = (await readElement(samples, within, pool)).data as Float32Array;
      writeLatents(sample, { scale: 1, shift: 0 }, out, offset, describe(index));
      return {
        noise: (await readElement(noise, within, pool)).data as Float32Array,
        ...(labels && { label: labels[within]! }),
        ...(captions && { caption: await captionAt(index) }),
      };
    },
    describe,
    fingerprint: () =>
      new Fingerprint().texts([String(parts.count), ...files.map(({ sha256 }) => sha256)]).end(),
    close: () => pool.close(),
  };
}

/** What can be told of pairs before they are made. */
export function factsOfPairs(folder: string, plan: PairsPlan): SourceFacts {
  const { count, shape, classes, classNames, captions, record, teacher } = plan;
  const model = `${teacher.run}, step ${teacher.step}`;
  return {
    name: folder,
    count,
    shape,
    captions,
    ...(classes !== undefined && { classes }),
    ...(classNames && { classNames }),
    ...(record && { record }),
    told: { by: `as ${model} was told them` },
    paired: { weights: teacher.sha256, model },
  };
}
