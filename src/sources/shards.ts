import { dirname } from 'node:path';
import { parseJsonText } from '../formats/json.ts';
import { dataError } from '../tensor/errors.ts';
import { decodeText } from '../tensor/text.ts';
import { annotationColumns, findValue, mayTell } from './annotation-columns.ts';
import type { BadSamplePolicy } from '../data/bad-samples.ts';
import { readClassNames } from './class-names.ts';
import { FilePool } from '../host/file-pool.ts';
import { expandPaths } from '../formats/glob.ts';
import { captionExtensions } from './caption-extensions.ts';
import { openImageSource } from './images/image-source.ts';
import { Parts } from './parts.ts';
import type { Condition, ShardsData } from './settings.ts';
import { captionsOf, memberError } from './shard-annotations.ts';
import { CAPTION, indexShard } from './shard-index.ts';
import type { ShardIndex } from './shard-index.ts';
import { ShardSurvey } from './shard-survey.ts';
import type { Captions, Source } from '../data/source.ts';
import { type Unused, unusedFolders } from '../data/told.ts';

/** Where captions are looked for. */
const LOOKED_FOR = 'txt and caption members, and json members with a key text or caption';

/**
 * Opens tar shards in the form of WebDataset (https://github.com/webdataset/webdataset): members whose names are the same up
 * to the first dot are one sample. jpg, jpeg, png, webp, avif or gif is its image; cls its class, a whole number as text; txt
 * its caption; json an object that may have either, as label or class and as caption or text.
 *
 * The names of the classes come from classes.json (a list) or classnames.txt (a name a line) in the folder of the first
 * shard. Without them classes are numbers, and a json may not call its class by name.
 *
 * Shards are read where they are, a sample by one or two reads at its place, so the order of training costs nothing.
 * @param onBadSample skip: a few samples may lack a class or a caption, or have one that is none
 * @throws RectiflowError naming the shard and the member: damage, doubles, a caption or class without an image
 */
export async function openShards(data: ShardsData, onBadSample: BadSamplePolicy = 'fail'): Promise<Source> {
  const { path, condition } = data;
  const paths = await expandPaths(path, 'shards');
  const classNames = await readClassNames(dirname(paths[0]!));
  const survey = new ShardSurvey();
  const options = {
    labels: mayTell(condition, 'class'),
    captions: mayTell(condition, 'caption'),
    onBadSample,
    classes: classNames && new Map(classNames.map((name, label) => [name, label])),
    columns: annotationColumns(data),
    captionEndings: captionExtensions(data).map((ending) => ending.slice(1)),
    survey,
  };
  const shards: ShardIndex[] = [];
  // One after the other: the disk is what this waits for.
  for (const shard of paths) shards.push(await indexShard(shard, options));
  refuseDoubles(shards);
  const parts = new Parts(shards.map(({ count }) => count));
  const pool = new FilePool();
  const sample = (index: number): readonly [ShardIndex, number] => {
    const [part, within] = parts.locate(index);
    return [shards[part]!, within];
  };
  const describe = (index: number): string => {
    const [shard, i] = sample(index);
    return `${shard.path}: ${shard.keys[i]}`;
  };
  return openImageSource({
    name: typeof path === 'string' ? path : paths[0]!,
    settings: data,
    condition,
    onBadSample,
    told: { ...survey.told, lookedFor: LOOKED_FOR },
    unused: [...survey.unused(condition), ...untoldFolders(survey, condition, shards)],
    ...(classNames === undefined ? {} : { classNames }),
    items: {
      count: parts.count,
      bytes(index) {
        const [shard, i] = sample(index);
        return pool.read(shard.path, shard.imageOffsets[i]!, shard.imageSizes[i]!);
      },
      label(index) {
        const [shard, i] = sample(index);
        return shard.labels[i] === -1 ? undefined : shard.labels[i];
      },
      async caption(index) {
        const [shard, i] = sample(index);
        const bytes = await pool.read(shard.path, shard.captionOffsets[i]!, shard.captionSizes[i]!);
        const name = describe(index);
        const text = decodeText(bytes, name);
        if (shard.captionForms[i] === CAPTION.text) return data.captionPerLine ? linesOf(text) : text.trim();
        const record = parseJsonText(text, name, 'Write an object');
        const fail = memberError(shard.path, shard.keys[i]!);
        return captionsOf(record[findValue(record, options.columns.captions)!], fail)!;
      },
      severalCaptions: survey.hasSeveral || data.captionPerLine === true,
      hasCaption(index) {
        const [shard, i] = sample(index);
        return shard.captionForms[i] !== CAPTION.none;
      },
      describe,
      fault(index) {
        const [shard, i] = sample(index);
        return shard.faults.get(i);
      },
      key(index) {
        const [shard, i] = sample(index);
        return shard.keys[i]!;
      },
      size(index) {
        const [shard, i] = sample(index);
        return shard.imageSizes[i]!;
      },
      excerpt(index, bytes) {
        const [shard, i] = sample(index);
        return pool.read(shard.path, shard.imageOffsets[i]!, Math.min(bytes, shard.imageSizes[i]!));
      },
      head(index, bytes) {
        const [shard, i] = sample(index);
        return pool.read(shard.path, shard.imageOffsets[i]!, Math.min(bytes, shard.imageSizes[i]!));
      },
      close: () => pool.close(),
    },
  });
}

/** Folders within shards, where a model is told nothing and may have been meant to be told them. */
function untoldFolders({ told }: ShardSurvey, condition: Condition, shards: readonly ShardIndex[]): Unused[] {
  if (condition !== 'auto' || told.label !== undefined || told.caption !== undefined) return [];
  const keys = shards.flatMap((shard) => shard.keys);
  return unusedFolders(
    keys,
    'If they are classes, unpack the shards and train on the folder, or write cls members.',
  );
}

function linesOf(text: string): Captions {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.length === 0 ? '' : lines;
}

function refuseDoubles(shards: readonly ShardIndex[]): void {
  const seen = new Set<string>();
  for (const { path, keys } of shards) {
    for (const key of keys) {
      if (seen.has(key)) {
        const first = shards.find((shard) => shard.keys.includes(key))!;
        const problem = `the sample ${key} is also in ${first.path}`;
        throw dataError(path, problem, 'Give each sample a name of its own, or leave one of the shards out');
      }
      seen.add(key);
    }
  }
}
