import { parse } from 'node:path';

/**
 * What a run is called after a file: its name, of what the setting `name` may hold.
 * @param unnamed where nothing of it can stay
 */
export function runNameOf(path: string, unnamed: string): string {
  const name = parse(path)
    .name.replaceAll(/[^\p{L}\p{M}\p{N}._ -]/gu, '-')
    .replace(/^[^\p{L}\p{N}]+/u, '');
  return name === '' ? unnamed : name;
}
