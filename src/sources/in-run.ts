// Data that a run has in its own folder: wherever that is moved, they are found.
import { join } from 'node:path';
import type { ArrayData, DataConfig } from './settings.ts';

/** The settings of data that lie in the folder of their run. */
export type DataInRun = ArrayData & { readonly inRun: true };

/** Whether a run has its data with it. */
export function areInRun(data: DataConfig): data is DataInRun {
  return data.source === 'array' && data.inRun === true;
}

/** The same data by paths that lead to them from here; others as they are. @param run the folder of the run */
export function locatedData(data: DataConfig, run: string): DataConfig {
  if (!areInRun(data)) return data;
  const { inRun: _, path, labels, captions, ...settings } = data;
  return {
    ...settings,
    path: join(run, path),
    ...(labels !== undefined && { labels: hasLabelsBeside(data) ? join(run, labels) : labels }),
    ...(captions !== undefined && { captions: join(run, captions) }),
  };
}

/** Whether labels are a file of their own; else they are a tensor of the file of samples. */
export function hasLabelsBeside({ path, labels }: Pick<ArrayData, 'path' | 'labels'>): boolean {
  return [path, labels].some((file) => file?.toLowerCase().endsWith('.npy'));
}

/** Whether a path stays below the folder that it begins in. */
export function staysInside(path: string): boolean {
  return !/^([/\\~]|[A-Za-z]:)/.test(path) && !path.split(/[/\\]/).includes('..');
}
