// What the model is told of images in a folder: by metadata, by text files beside them, by the folders that they lie in.
import { join } from 'node:path';
import { dataError } from '../../tensor/errors.ts';
import { mayTell, unusedColumns } from '../annotation-columns.ts';
import { type BadSamplePolicy, mayLeaveOut } from '../../data/bad-samples.ts';
import { listSome } from '../../data/list-some.ts';
import type { Condition, FolderData } from '../settings.ts';
import type { Unused } from '../../data/told.ts';
import { type FolderCaptions, textCaptions } from './folder-captions.ts';
import type { FolderFiles } from './folder-files.ts';
import { type Labels, areSplits, folderLabels, rowLabels, splitsError } from './folder-labels.ts';
import { type Metadata, type MetadataRow, readMetadata } from './folder-metadata.ts';

export interface FolderAnnotations {
  readonly condition: Condition;
  readonly captions: FolderCaptions | undefined;
  readonly labels: Labels | undefined;
  readonly unusedColumns: readonly Unused[];
  /** What is odd about the folder, as sentences. */
  readonly remarks: readonly string[];
}

/**
 * Captions of metadata come before those in text files, labels of metadata before the names of folders.
 * @throws RectiflowError naming what is missing, empty, ambiguous or left over
 */
export async function readAnnotations(
  data: FolderData,
  files: FolderFiles,
  onBadSample: BadSamplePolicy,
): Promise<FolderAnnotations> {
  const { path } = data;
  const { images, metadata: names } = files;
  const metadata = names.length === 0 ? undefined : await readMetadata(path, names, new Set(images), data);
  if (names.every((name) => name.includes('/')) && names.length > 0 && areSplits(files.folders)) {
    throw splitsError(path, files.folders, 'not one set');
  }
  const rows = metadata && rowsOf(path, files, metadata.rows, onBadSample);
  const by = (use: 'captions' | 'labels'): string =>
    `${listSome(names)}, column ${metadata!.used[use].join(' or ')}`;

  const mayCaption = mayTell(data.condition, 'caption');
  const ofRows = mayCaption && rows ? rowCaptions(rows, by('captions')) : undefined;
  const captions = ofRows ?? (mayCaption ? textCaptions(data, files) : undefined);
  // Where some images have captions, those without are a mistake rather than a reason to train on classes.
  const condition = data.condition === 'auto' && captions ? 'caption' : data.condition;
  const mayLabel = mayTell(condition, 'class');
  const byRows = mayLabel && rows ? await rowLabels(path, rows, by('labels')) : undefined;
  const labels = byRows ?? (mayLabel ? folderLabels(path, files) : undefined);
  const told = { captions: captions !== undefined, labels: labels !== undefined };
  const isUsed = { captions: ofRows !== undefined, labels: byRows !== undefined, others: true };
  return {
    condition,
    captions,
    labels,
    remarks: [...(captions?.remarks ?? []), ...describeSplits(files.folders)],
    unusedColumns: metadata
      ? unusedColumns(metadata.columns, columnsIn(metadata, isUsed), told, data.condition)
      : [],
  };
}

function describeSplits(folders: readonly string[]): string[] {
  if (!areSplits(folders) || folders.length === 1) return [];
  return [
    `All folders are trained on, and look like splits of a set: ${folders.join(', ')}. Set data.path to one of them.`,
  ];
}

function columnsIn({ used }: Metadata, isUsed: Readonly<Record<keyof Metadata['used'], boolean>>): string[] {
  return (Object.keys(isUsed) as (keyof Metadata['used'])[]).flatMap((use) => (isUsed[use] ? used[use] : []));
}

/** One row for each image; an empty one for those that may be left out. */
function rowsOf(
  path: string,
  { images, metadata, others }: FolderFiles,
  byFile: ReadonlyMap<string, MetadataRow>,
  onBadSample: BadSamplePolicy,
): MetadataRow[] {
  const where = metadata.length === 1 ? join(path, metadata[0]!) : `${path}: ${listSome(metadata)}`;
  const known = new Set(images);
  const lost = Array.from(byFile.keys()).filter((file) => !known.has(file));
  if (lost.length > 0) {
    const there = new Set(others);
    const named = lost.map((file) => (there.has(file) ? `${file} (which is there, and not read)` : file));
    const problem = `${lost.length} of ${byFile.size} rows have no image: ${listSome(named)}`;
    throw dataError(where, problem, 'Correct file_name, or remove the rows');
  }
  const bare = images.filter((image) => !byFile.has(image));
  if (bare.length > 0 && !mayLeaveOut(onBadSample, bare.length, images.length)) {
    const problem = `${bare.length} of ${images.length} images have no row: ${listSome(bare)}`;
    throw dataError(where, problem, 'Add rows, or remove the images');
  }
  return images.map((image) => byFile.get(image) ?? {});
}

function rowCaptions(rows: readonly MetadataRow[], by: string): FolderCaptions | undefined {
  if (rows.every(({ captions }) => captions === undefined)) return undefined;
  return {
    by,
    items: {
      caption: (index) => rows[index]!.captions!,
      hasCaption: (index) => rows[index]!.captions !== undefined,
      severalCaptions: rows.some(({ captions }) => Array.isArray(captions)),
    },
  };
}
