// The settings of the model that weights belong to.
import type { DiTSizes } from '../../interop/dit-weights.ts';
import { resolveDiTConfig } from '../../models/dit-config.ts';
import { counted } from '../../tensor/counted.ts';
import { RectiflowError, fileError } from '../../tensor/errors.ts';
import type { ImageModel } from '../../train/settings.ts';
import { type Convention, conventions } from './conventions.ts';
import { type FoundFacts, findFacts } from './facts.ts';
import type { ImportOptions } from './options.ts';

export interface DescribedModel {
  readonly model: ImageModel;
  readonly convention: Convention;
}

/**
 * @param beside what the file holds beside the weights
 * @throws RectiflowError that asks for what neither the file nor the options tell
 */
export function describeModel(
  path: string,
  sizes: DiTSizes,
  beside: Readonly<Record<string, unknown>>,
  options: ImportOptions,
): DescribedModel {
  const facts = findFacts(beside, sizes);
  const { width, depth, patchSize, channels, classes, parts } = sizes;
  const convention = findConvention(path, facts, options);
  const { timeScale } = options;
  const model = resolveDiTConfig({
    ...convention.settings,
    ...facts.settings,
    // What is asked for goes before what stands beside the weights, which themselves never err.
    ...(options.convention && convention.settings),
    ...(timeScale !== undefined && { timeScale }),
    ...parts,
    width,
    depth,
    heads: findHeads(path, width, facts, options),
    patchSize,
    channels,
    imageSize: findImageSize(path, sizes, facts, options),
    classes,
  });
  return { model: { kind: 'dit', ...model }, convention };
}

function findHeads(path: string, width: number, facts: FoundFacts, options: ImportOptions): number {
  const heads = options.heads ?? facts.settings.heads;
  if (heads !== undefined) return heads;
  const usual = [64, 72].filter((size) => width % size === 0).map((size) => width / size);
  const hint = usual.length > 0 ? `; ${usual.join(' or ')} would be usual` : '';
  const problem = 'does not tell how many attention heads its model has';
  throw fileError(path, problem, `Give --heads, a divisor of the width ${width}${hint}`);
}

function findConvention(path: string, facts: FoundFacts, options: ImportOptions): Convention {
  const name = options.convention ?? facts.convention;
  if (name !== undefined) return conventions[name];
  throw new RectiflowError('file', [
    `${path}: does not tell what its model was trained to say. Give --convention, one of these:`,
    ...Object.entries(conventions).map(([key, { summary }]) => `  ${key}: ${summary}`),
  ]);
}

function findImageSize(
  path: string,
  { tokens, patchSize }: DiTSizes,
  facts: FoundFacts,
  options: ImportOptions,
): readonly [height: number, width: number] {
  const given = options.imageSize ?? facts.settings.imageSize;
  if (given !== undefined) return given;
  const side = Math.sqrt(tokens ?? NaN) * patchSize;
  if (Number.isInteger(side)) return [side, side];
  const found =
    tokens === undefined
      ? 'no positional table'
      : `a positional table of ${counted(tokens, 'token')}, no square`;
  throw fileError(
    path,
    `has ${found}: its image size cannot be told`,
    'Give --image-size, as in 32 or 16x32',
  );
}
