// Data that are given where a config is wanted: the least config that they would be.
import { readdir, stat } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { IMAGE_ENDINGS } from '../sources/images/formats.ts';
import { ENCODING, LATENTS } from '../sources/latents/manifest.ts';
import { MANIFEST } from '../sources/pack/manifest.ts';
import { PAIRS_MANIFEST } from '../sources/pairs/manifest.ts';
import { fileError } from '../tensor/errors.ts';

export type BareData = Readonly<{ source: string } & Record<string, string | number>>;

/** Of images, where nothing says how large the model should see them. */
const SIZE = 64;

/**
 * The data that a path leads to, by its name and by what is in a folder; undefined where it leads to nothing, to a config, or
 * to the folder of a run.
 * @throws RectiflowError where it is a single image
 */
export async function bareData(target: string): Promise<BareData | undefined> {
  const path = target.replace(/(?<=.)[/\\]+$/, '');
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return bareFolder(path);
  return found?.isFile() ? bareFile(path) : undefined;
}

async function bareFolder(path: string): Promise<BareData | undefined> {
  const names = await readdir(path).catch((): string[] => []);
  if (names.includes('checkpoints') && names.includes('config.json')) return undefined;
  const has = (...endings: readonly string[]): boolean =>
    names.some((name) => endings.includes(extname(name).toLowerCase()));
  const images: BareData = { source: 'folder', path, size: SIZE };
  if (has(...IMAGE_ENDINGS.map((ending) => `.${ending}`))) return images;
  if (has('.tar')) return { source: 'shards', path: join(path, '*.tar'), size: SIZE };
  if (names.includes(PAIRS_MANIFEST)) return { source: 'pairs', path };
  if (names.includes(MANIFEST)) return { source: 'array', path };
  if ([LATENTS, ENCODING].some((name) => names.includes(name))) return { source: 'latents', path };
  if (has('.parquet')) return { source: 'parquet', path: join(path, '*.parquet'), size: SIZE };
  return images;
}

function bareFile(path: string): BareData | undefined {
  const ending = extname(path).toLowerCase();
  if (IMAGE_ENDINGS.includes(ending.slice(1))) {
    throw fileError(path, 'is a single image, and no config', `Give its folder, ${dirname(path)}`);
  }
  switch (ending) {
    case '.h5ad':
      return { source: 'expression', path };
    case '.npy':
    case '.safetensors':
      return { source: 'array', path };
    case '.parquet':
      return { source: 'parquet', path, size: SIZE };
    case '.tar':
      return { source: 'shards', path, size: SIZE };
    default:
      return path.endsWith('-ubyte') ? { source: 'idx', images: path } : undefined;
  }
}

/** As a line of a config file: `data: { source: folder, path: photos, size: 64 }` */
export function describeBareData(data: BareData): string {
  const settings = Object.entries(data).map(([name, value]) => {
    const isPlain = typeof value === 'number' || /^[\w./-]+$/.test(value);
    return `${name}: ${isPlain ? value : JSON.stringify(value)}`;
  });
  return `data: { ${settings.join(', ')} }`;
}
