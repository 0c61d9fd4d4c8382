import type { AnnotationFiles } from './settings.ts';

const USUAL: readonly string[] = ['.txt', '.caption'];

/** Endings of text files that hold captions, as in `.txt`, in lower case. */
export function captionExtensions({
  captionExtensions: set,
}: Pick<AnnotationFiles, 'captionExtensions'>): string[] {
  return (set ?? USUAL).map((ending) => `.${ending.replace(/^\./, '').toLowerCase()}`);
}
