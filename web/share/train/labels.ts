// Which label the pictures of a folder have.
import type { ShareManifest } from '../../../src/share/manifest.ts';
import { classesOf } from '../panels/chosen.ts';
import type { Labels } from './picture-set.ts';
import type { TrainSettings } from './settings.ts';

/** How people call the classes of a shared model. */
export function sharedClassNames(manifest: ShareManifest): string[] {
  return Array.from(
    { length: classesOf({ manifest }) },
    (_, label) => manifest.data.classNames?.[label] ?? `class ${label}`,
  );
}

/** What each folder most likely is: the class of its name. */
export function labelsByName(
  folders: readonly string[],
  classNames: readonly string[],
): [folder: string, label: number | null][] {
  return folders.map((folder) => {
    const label = classNames.indexOf(folder);
    return [folder, label < 0 ? null : label];
  });
}

/**
 * Of a new model: as the folders are called, in the order of their names. One folder tells nothing: the model is told no classes then.
 * @param folders of the pictures
 * @returns undefined for a model that is told none
 */
export function labelsOf(
  settings: TrainSettings,
  folders: readonly string[],
  shared: ShareManifest | undefined,
): Labels | undefined {
  if (settings.begin === 'new' || shared === undefined) {
    const labels = new Map(folders.map((name, label) => [name, label]));
    return folders.length < 2 ? undefined : { classNames: folders, labelOf: (name) => labels.get(name) };
  }
  const classNames = sharedClassNames(shared);
  const chosen = new Map(settings.labels);
  return classNames.length === 0
    ? undefined
    : { classNames, labelOf: (name) => chosen.get(name) ?? undefined };
}
