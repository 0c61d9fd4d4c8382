import type { BadSamplePolicy } from '../data/bad-samples.ts';
import type { ArrayData, DataConfig, LatentsData } from '../sources/settings.ts';
import { latentRecord, latentRecordOf } from '../data/latents.ts';
import { membersOf } from '../data/source-view.ts';
import type { Source } from '../data/source.ts';
import { areInRun } from '../sources/in-run.ts';
import { configError } from '../tensor/config-error.ts';
import { type DataRecord, genesOf } from '../known/data-record.ts';

/**
 * The data that a config names. Nothing is loaded that other kinds of data are read with.
 * @param onBadSample skip: what is known to be wrong with single samples is left to those who read them
 * @param record of the data that a model was trained on: what it knows is not chosen anew
 * @throws RectiflowError when it is not there, is damaged, or only a program can give it
 */
export async function openSource(
  data: DataConfig,
  onBadSample: BadSamplePolicy = 'fail',
  record?: DataRecord['record'],
): Promise<Source> {
  switch (data.source) {
    case 'digits':
      return (await import('../sources/digits.ts')).digitsSource(data);
    case 'fashion':
      return (await import('../sources/fashion.ts')).fashionSource(data);
    case 'emoji':
      return (await import('../sources/emoji.ts')).emojiSource(data);
    case 'folder':
      return (await import('../sources/images/folder.ts')).openFolder(data, onBadSample);
    case 'shards':
      return (await import('../sources/shards.ts')).openShards(data, onBadSample);
    case 'parquet':
      return (await import('../sources/parquet.ts')).openParquet(data, onBadSample);
    case 'idx':
      return (await import('../sources/idx-source.ts')).openIdx(data, onBadSample);
    case 'array':
      return openArrayOf(data, onBadSample);
    case 'latents':
      return openEncodedImages(data, onBadSample, record);
    case 'expression':
      return (await import('../sources/expression/source.ts')).openExpression(data, {
        genes: genesOf(record),
        onBadSample,
      });
    case 'pairs':
      return (await import('../sources/pairs.ts')).openPairs(data);
    case 'custom':
      throw configError('config', [
        'data.source: custom data is handed over by the program that trains. Run or resume it from that program',
      ]);
  }
}

/** Of latents of others it takes their autoencoder, where it is named, to know them by. */
async function openEncodedImages(
  data: LatentsData,
  onBadSample: BadSamplePolicy,
  known: DataRecord['record'],
): Promise<Source> {
  const { openLatents } = await import('../sources/latents/open.ts');
  const { autoencoder: path } = data;
  if (path === undefined) return openLatents(data, onBadSample, { known });
  const { readAutoencoder } = await import('./autoencoder.ts');
  const { fingerprint, autoencoder } = await readAutoencoder(path);
  return openLatents(data, onBadSample, {
    known,
    autoencoder: { path, fingerprint, scaling: autoencoder.scaling },
  });
}

/** Of latents whose autoencoder is named they are known by it. */
async function openArrayOf(data: ArrayData, onBadSample: BadSamplePolicy): Promise<Source> {
  if (areInRun(data)) {
    const advice = 'Name the run, or leave inRun out and give paths that lead to the files from here';
    throw configError('config', [
      `data.inRun: ${data.path} is in the folder of a run, and none is named. ${advice}`,
    ]);
  }
  const { openArray } = await import('../sources/array-source.ts');
  const { autoencoder: path } = data;
  if (path === undefined) return openArray(data, onBadSample);
  const { readAutoencoder } = await import('./autoencoder.ts');
  const { fingerprint } = await readAutoencoder(path);
  const source = await openArray(data, onBadSample);
  const record = latentRecordOf(source.record);
  if (record === undefined) {
    await source.close?.();
    throw configError('config', [
      'data.autoencoder: an array of images has none. Set data.latents, or leave it out',
    ]);
  }
  // What was packed of latents knows its own, with which what is named is compared when it decodes.
  return { ...membersOf(source), record: { ...latentRecord(record, record.autoencoder ?? fingerprint) } };
}
