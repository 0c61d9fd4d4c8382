// Images to latents, by an autoencoder, in steps that survive a crash.
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { BadSamples } from '../../data/bad-samples.ts';
import type { Source } from '../../data/source.ts';
import { digestFile, replaceDurably, replaceFolder } from '../../host/durable.ts';
import { listSome } from '../../data/list-some.ts';
import { RectiflowError, dataError, fileError, systemProblem } from '../../tensor/errors.ts';
import { ChannelSums } from './channel-sums.ts';
import { encodedRecords } from './encoded-records.ts';
import type { EncodeSourceOptions, LatentEncoder } from './encoder.ts';
import { Journal, type JournalRecord } from './journal.ts';
import {
  AUTOENCODER,
  ENCODING,
  type EncodedFile,
  type EncodedShard,
  type EncodingSettings,
  LATENTS,
  type LatentsManifest,
  readLatentsManifest,
  readRecord,
  settingsSchema,
  shardSchema,
} from './manifest.ts';
import { shardName, writeShard } from './write-shard.ts';

/** What stands in encoding.json while images are encoded. */
interface Encoding {
  readonly settings: EncodingSettings;
  readonly shards: readonly EncodedShard[];
  readonly sums: ReturnType<ChannelSums['state']>;
  readonly leftOut: readonly { readonly place: number; readonly why: string }[];
}

const schema: z.ZodType<Encoding> = z.object({
  settings: settingsSchema,
  shards: z.array(shardSchema),
  sums: z.object({ count: z.number(), mean: z.array(z.number()), squares: z.array(z.number()) }),
  leftOut: z.array(z.object({ place: z.number(), why: z.string() })),
});

/**
 * Encodes all samples of a source into a folder, or goes on where an earlier call was stopped; what comes out is the same to the
 * bit. The folder is opened as data.source latents.
 * @throws RectiflowError where the folder holds something else, or latents of other images, settings or another autoencoder; where a
 * sample cannot be read; where the encoder makes numbers that are not finite
 */
export async function encodeSource(
  source: Source,
  folder: string,
  options: EncodeSourceOptions,
): Promise<LatentsManifest> {
  const { settings, onNotice } = options;
  const done = await begin(folder, settings);
  if (done !== undefined) {
    onNotice?.(`${folder}: all was encoded before.`);
    return done;
  }
  try {
    return await goOn(source, folder, options);
  } catch (error) {
    // What the source and the encoder throw is their own.
    if (error instanceof RectiflowError || (error as NodeJS.ErrnoException).syscall === undefined)
      throw error;
    const advice = 'Check the disk, and run the same command again: it goes on';
    throw fileError(folder, `cannot be written: ${systemProblem(error)}`, advice, error);
  }
}

/** @returns the manifest of a folder that is complete */
async function begin(folder: string, settings: EncodingSettings): Promise<LatentsManifest | undefined> {
  await mkdir(folder, { recursive: true });
  if (existsSync(join(folder, LATENTS))) {
    const manifest = await readLatentsManifest(folder);
    compareSettings(folder, manifest.settings, settings);
    return manifest;
  }
  const path = join(folder, ENCODING);
  if (existsSync(path)) {
    compareSettings(folder, (await readEncoding(path)).settings, settings);
    return undefined;
  }
  // The lock of this process may be there.
  const others = (await readdir(folder)).filter((name) => !/^lock-.*\.json(?:\.tmp)?$/.test(name));
  if (others.length > 0) {
    const problem = `holds ${listSome(others)}, and no latents`;
    throw fileError(folder, problem, 'Remove it, or encode into another folder');
  }
  await save(folder, {
    settings,
    shards: [],
    sums: new ChannelSums(settings.shape[0]!).state(),
    leftOut: [],
  });
  return undefined;
}

function readEncoding(path: string): Promise<Encoding> {
  return readRecord(path, schema, 'is no record of an encoding');
}

async function save(folder: string, encoding: Encoding): Promise<void> {
  await replaceDurably(join(folder, ENCODING), `${JSON.stringify(encoding, null, 2)}\n`);
}

function compareSettings(folder: string, before: EncodingSettings, now: EncodingSettings): void {
  if (before.autoencoder.fingerprint !== now.autoencoder.fingerprint) {
    const [first, second] = [before, now].map(({ autoencoder: { fingerprint } }) => fingerprint.slice(0, 12));
    const problem = `holds latents of another autoencoder: ${before.autoencoder.kind} ${first}, this one is ${now.autoencoder.kind} ${second}`;
    throw fileError(folder, problem, 'Give the autoencoder of before, or encode into another folder');
  }
  // As they come out of a file.
  const plain = JSON.parse(JSON.stringify(now)) as EncodingSettings;
  const names = [...new Set([...Object.keys(before), ...Object.keys(plain)])] as (keyof EncodingSettings)[];
  const other = names.filter((name) => !isDeepStrictEqual(before[name], plain[name]));
  if (other.length === 0) return;
  const changes = other.map(
    (name) =>
      `${name} ${JSON.stringify(before[name]) ?? 'nothing'} -> ${JSON.stringify(plain[name]) ?? 'nothing'}`,
  );
  const problem = `was encoded with other settings or of other images: ${listSome(changes)}`;
  throw fileError(folder, problem, 'Set them back, or encode into another folder');
}

async function goOn(source: Source, folder: string, options: EncodeSourceOptions): Promise<LatentsManifest> {
  const { settings, encoder, onNotice } = options;
  await keepAutoencoder(folder, encoder);
  let encoding = await readEncoding(join(folder, ENCODING));
  const { samplesPerShard, onBadSample } = settings;
  const onBad = ({ message }: RectiflowError): void => onNotice?.(`skipped: ${message}`);
  const bad = new BadSamples(source, { onBadSample, onBad });
  for (const { place, why } of encoding.leftOut) bad.add(place, new RectiflowError('data', why), place + 1);
  const sums = ChannelSums.from(encoding.sums);
  const total = source.count;
  for (let shard = encoding.shards.length; shard * samplesPerShard < total; shard++) {
    const [from, to] = [shard * samplesPerShard, Math.min(total, (shard + 1) * samplesPerShard)];
    const path = join(folder, `${shardName(shard)}.journal`);
    const { journal, records: before } = await Journal.open(path);
    const records: JournalRecord[] = [...before];
    try {
      for (const { place, text, numbers } of before)
        if (!numbers) bad.add(place, new RectiflowError('data', text), place + 1);
      const first = from + before.length;
      options.onProgress?.(first, total);
      for await (const some of encodedRecords(source, first, to, bad, options)) {
        await journal.add(some);
        records.push(...some);
        options.onProgress?.(from + records.length, total);
      }
    } finally {
      await journal.close();
    }
    const kept = records.filter(({ numbers }) => numbers);
    const left = records.filter(({ numbers }) => !numbers);
    const written = await writeShard(folder, shardName(shard), kept, settings, sums);
    encoding = {
      settings,
      shards: [...encoding.shards, written],
      sums: sums.state(),
      leftOut: [...encoding.leftOut, ...left.map(({ place, text }) => ({ place, why: text }))],
    };
    await save(folder, encoding);
    await rm(path);
  }
  const leftOut = bad.summary();
  if (leftOut !== undefined) onNotice?.(leftOut);
  return finish(folder, encoding, sums);
}

async function finish(
  folder: string,
  { settings, shards }: Encoding,
  sums: ChannelSums,
): Promise<LatentsManifest> {
  const count = shards.reduce((sum, shard) => sum + shard.count, 0);
  if (count === 0) throw dataError(folder, 'holds no samples', 'Check where the images are read from');
  const manifest: LatentsManifest = {
    format: 'rectiflow latents',
    version: 1,
    count,
    settings,
    statistics: sums.statistics(),
    shards,
    files: await filesOf(folder),
  };
  // What crashes have left, also of an autoencoder that was being written.
  for (const name of await readdir(folder))
    if (/\.(?:journal|partial|partial\.tmp-.*)$/.test(name))
      await rm(join(folder, name), { recursive: true });
  await replaceDurably(join(folder, LATENTS), `${JSON.stringify(manifest, null, 2)}\n`);
  await rm(join(folder, ENCODING), { force: true });
  return manifest;
}

/** Once, before the first image: latents without it would be of no use. */
async function keepAutoencoder(folder: string, { write }: LatentEncoder): Promise<void> {
  const kept = join(folder, AUTOENCODER);
  if (existsSync(kept)) return;
  await replaceFolder(kept, write);
}

async function filesOf(folder: string): Promise<EncodedFile[]> {
  const names = (await readdir(join(folder, AUTOENCODER))).toSorted();
  const files: EncodedFile[] = [];
  for (const name of names)
    files.push({ name: `${AUTOENCODER}/${name}`, ...(await digestFile(join(folder, AUTOENCODER, name))) });
  return files;
}
