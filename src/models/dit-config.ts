import { RectiflowError } from '../tensor/errors.ts';
import { type Positions, positionKinds } from '../nn/position-table.ts';
import type { BlockParts } from './dit-parts.ts';
import { type Setting, type SettingsOf, withDefaults } from './kinds/setting.ts';

/** What all Diffusion Transformers here have. */
export interface TransformerConfig {
  /** Features of a token; a multiple of `heads`. */
  readonly width: number;
  /** Transformer blocks. */
  readonly depth: number;
  /** Attention heads of a block. */
  readonly heads: number;
  /** What t in [0, 1] is multiplied with before it is embedded; 1000 by default, which matches the frequencies' range. */
  readonly timeScale?: number;
}

/** Where the tokens of images lie, as `Positions` says. */
export interface PositionSettings {
  /** grid, the default: by whole numbers, in grids of any size. */
  readonly positions?: Positions['kind'] | undefined;
  /** Of stretched and centred: [rows, columns] of tokens whose places others cover. */
  readonly positionGrid?: readonly [rows: number, columns: number] | undefined;
}

/** What models of images are told beside class or caption. */
export interface ToldSettings {
  /** How large an image was, where it was cropped, and how large it is: see size-conditioning.ts. Not by default. */
  readonly sizeConditioning?: boolean | undefined;
}

/** What is left out where it is as in the public release. */
export interface OptionalSettings extends PositionSettings, ToldSettings {}

/** What those of images have. Their width is a multiple of 4, too. */
export interface ImageTransformerConfig extends TransformerConfig, OptionalSettings {
  /** Side of the square of pixels that makes a token. */
  readonly patchSize: number;
  /** Channels of an image. */
  readonly channels: number;
  /** [height, width] in pixels that it is made for, multiples of `patchSize`. */
  readonly imageSize: readonly [height: number, width: number];
}

/** The sizes of a Diffusion Transformer. They travel with its weights. */
export interface DiTConfig extends ImageTransformerConfig, BlockParts {
  /** 0 for a model without labels. */
  readonly classes: number;
  /** Embed timeScale (1 - t): of weights that were trained with the noise at t = 0 (SiT). False by default. */
  readonly reverseTime?: boolean;
}

/** With defaults; what is as in the public release is left out. */
export type Resolved<Config extends OptionalSettings> = Required<Omit<Config, keyof OptionalSettings>> &
  OptionalSettings;

export type ResolvedDiTConfig = Resolved<Omit<DiTConfig, keyof BlockParts>> & BlockParts;

export const sizeSettings: SettingsOf<Omit<TransformerConfig, 'timeScale'>> = {
  width: { type: 'whole', from: 1, says: 'features of a token, a multiple of heads; of images also of 4' },
  depth: { type: 'whole', from: 1, says: 'transformer blocks' },
  heads: { type: 'whole', from: 1, says: 'attention heads of a block' },
};

export const imageSettings: SettingsOf<Omit<ImageTransformerConfig, 'timeScale' | keyof OptionalSettings>> = {
  ...sizeSettings,
  patchSize: { type: 'whole', from: 1, says: 'side of a patch, in pixels' },
  channels: { type: 'whole', from: 1, fromData: true, says: 'channels of an image' },
  imageSize: { type: 'size', fromData: true, says: 'height and width, multiples of patchSize' },
};

export const positionSettings: SettingsOf<PositionSettings> = {
  positions: {
    type: 'choice',
    names: positionKinds,
    optional: true,
    says: 'where tokens lie: grid (left out: by whole numbers), stretched or centred (over positionGrid, in grids of any size)',
  },
  positionGrid: {
    type: 'size',
    optional: true,
    says: 'rows and columns of tokens that are stretched; those of imageSize, or of the first stage, where left out',
  },
};

export const toldSettings: SettingsOf<ToldSettings> = {
  sizeConditioning: {
    type: 'flag',
    optional: true,
    says: 'the model is told how large an image was, where it was cropped, and how large it is (left out: it is not)',
  },
};

export const partSettings: SettingsOf<BlockParts> = {
  norm: {
    type: 'choice',
    names: ['layer', 'rms'],
    optional: true,
    says: 'what tokens are normalised by: layer (left out: without weights) or rms (with a weight)',
  },
  qkNorm: {
    type: 'choice',
    names: ['none', 'rms', 'layer'],
    optional: true,
    says: 'what queries and keys are normalised by, head by head: none (left out), rms or layer',
  },
  mlp: {
    type: 'choice',
    names: ['gelu', 'swiglu'],
    optional: true,
    says: 'gelu of 4 width features (left out), or swiglu of two thirds as many',
  },
  rotary: {
    type: 'flag',
    optional: true,
    says: 'queries and keys are turned by row and column (left out: they are not); heads have a multiple of 4 features',
  },
  shifts: {
    type: 'flag',
    optional: true,
    says: 'blocks are shifted by their modulation (left out: they are), beside scaled and gated',
  },
};

export const classesSetting: Setting = {
  type: 'whole',
  from: 0,
  fromData: true,
  says: 'classes that it is told; 0: none',
};

export const timeSettings: SettingsOf<Pick<TransformerConfig, 'timeScale'>> = {
  timeScale: { type: 'above 0', default: 1000, says: 'the model embeds timeScale * t' },
};

export const ditSettings: SettingsOf<DiTConfig> = {
  ...imageSettings,
  classes: classesSetting,
  ...timeSettings,
  reverseTime: {
    type: 'flag',
    default: false,
    says: 'embed timeScale * (1 - t): of weights that were trained with the noise at t = 0',
  },
  ...positionSettings,
  ...toldSettings,
  ...partSettings,
};

/** `DiT: depth must be a positive integer, got 0` */
export function configError(model: string, argument: string, wanted: string, got: unknown): RectiflowError {
  return new RectiflowError('config', `${model}: ${argument} must be ${wanted}, got ${String(got)}`);
}

/** Far beyond any model, and near enough that what is listed for each block, token or class can be. */
const mostOf: Readonly<Record<string, number>> = { width: 2 ** 16, depth: 2 ** 8, tokens: 2 ** 20 };
const mostOfOthers = 2 ** 24;

/**
 * @param prefix what errors put before the names
 * @throws RectiflowError that names the size which is none, or beyond all that a model can have
 */
export function checkSizes(model: string, sizes: Readonly<Record<string, number>>, prefix = ''): void {
  for (const [name, value] of Object.entries(sizes)) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw configError(model, prefix + name, 'a positive integer', value);
    const most = mostOf[name] ?? mostOfOthers;
    if (value > most) throw configError(model, prefix + name, `at most ${most}`, value);
  }
}

/**
 * Checks what every transformer has, and that the model's own `sizes` are sizes.
 * @param model how errors call it
 * @throws RectiflowError that names the field, what it must be and what it is
 */
export function checkTransformer(
  model: string,
  { width, depth, heads, timeScale }: Required<TransformerConfig>,
  sizes: Readonly<Record<string, number>>,
): void {
  checkSizes(model, { width, depth, heads, ...sizes });
  if (!(timeScale > 0 && Number.isFinite(timeScale))) {
    throw configError(model, 'timeScale', 'a positive number', timeScale);
  }
  if (width % heads !== 0) throw configError(model, 'heads', `a divisor of the width ${width}`, heads);
}

export function checkClasses(model: string, classes: number): void {
  if (!Number.isSafeInteger(classes) || classes < 0) {
    throw configError(model, 'classes', 'an integer from 0 (no labels) up', classes);
  }
  if (classes > 0) checkSizes(model, { classes });
}

/** As `checkTransformer`, of one of images. */
export function checkImageTransformer(config: Resolved<ImageTransformerConfig>): void {
  const { width, patchSize, channels, imageSize, positions = 'grid', positionGrid } = config;
  const [imageHeight, imageWidth] = imageSize;
  checkTransformer('DiT', config, {
    patchSize,
    channels,
    'image height': imageHeight,
    'image width': imageWidth,
  });
  if (width % 4 !== 0) {
    throw configError('DiT', 'width', 'a multiple of 4, for the sines and cosines of row and column', width);
  }
  if (imageHeight % patchSize !== 0 || imageWidth % patchSize !== 0) {
    throw new RectiflowError(
      'config',
      `DiT: the image size must be a multiple of the patch size ${patchSize} on both sides, got ` +
        `${imageHeight} x ${imageWidth}. Resize or pad the images, or choose a patch size of ` +
        `${commonDivisors(imageHeight, imageWidth).join(', ')}`,
    );
  }
  checkSizes('DiT', { tokens: (imageHeight / patchSize) * (imageWidth / patchSize) });
  if (positions !== 'grid' && positionGrid === undefined)
    throw configError('DiT', 'positionGrid', `given where positions are ${positions}`, positionGrid);
  if (positions === 'grid' && positionGrid !== undefined)
    throw configError('DiT', 'positionGrid', 'left out: positions are not stretched', positionGrid.join('x'));
}

/** Where its tokens lie. */
export function positionsOf({ positions = 'grid', positionGrid }: PositionSettings): Positions {
  return { kind: positions, base: positionGrid };
}

/**
 * Fills in defaults and checks that the sizes fit together.
 * @throws RectiflowError that names the field, what it must be and what it is
 */
export function resolveDiTConfig(config: DiTConfig): ResolvedDiTConfig {
  const resolved = withDefaults(ditSettings, { ...config }) as unknown as ResolvedDiTConfig;
  checkImageTransformer(resolved);
  checkClasses('DiT', resolved.classes);
  const { rotary = false, width, heads } = resolved;
  if (rotary && (width / heads) % 4 !== 0)
    throw configError('DiT', 'width / heads', 'a multiple of 4 where positions are rotary', width / heads);
  return resolved;
}

function commonDivisors(a: number, b: number): number[] {
  return Array.from({ length: Math.min(a, b) }, (_, i) => i + 1).filter((d) => a % d === 0 && b % d === 0);
}
