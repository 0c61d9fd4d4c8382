import { RectiflowError } from '../tensor/errors.ts';
import { didYouMean } from '../tensor/suggest.ts';
import type { DiTConfig } from './dit-config.ts';

export type PresetSize = Pick<DiTConfig, 'width' | 'depth' | 'heads'>;

/** The sizes of the DiT paper (table 1) and Ti, which keeps S's depth and head width at half its width. */
export const presets: Readonly<Record<'Ti' | 'S' | 'B' | 'L' | 'XL', PresetSize>> = {
  Ti: { width: 192, depth: 12, heads: 3 },
  S: { width: 384, depth: 12, heads: 6 },
  B: { width: 768, depth: 12, heads: 12 },
  L: { width: 1024, depth: 24, heads: 16 },
  XL: { width: 1152, depth: 28, heads: 16 },
};

/**
 * @param name a size and a patch size: `DiT-S/8`
 * @throws RectiflowError that lists the sizes and guesses the one that was meant
 */
export function parsePreset(name: string): PresetSize & Pick<DiTConfig, 'patchSize'> {
  const [, size, patch] = /^DiT-([A-Za-z]+)\/([1-9]\d*)$/.exec(name) ?? [];
  if (size !== undefined && Object.hasOwn(presets, size)) {
    return { ...presets[size as keyof typeof presets], patchSize: Number(patch) };
  }
  const patchSize = patch ?? /\d+$/.exec(name)?.[0] ?? '8';
  const known = Object.keys(presets).map((key) => `DiT-${key}/${patchSize}`);
  throw new RectiflowError(
    'config',
    `model: "${name}" is no preset. A preset is one of DiT-${Object.keys(presets).join(', DiT-')} and a patch size, ` +
      `as in DiT-S/8.${didYouMean(name, known)}`,
  );
}
