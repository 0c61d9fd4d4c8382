// The sizes of autoencoders, which travel with their weights.
import { checkSizes, configError } from '../dit-config.ts';
import type { LatentScale } from '../../tensor/latent-scale.ts';

interface Common {
  /** Of pictures, 3 by default. */
  readonly imageChannels?: number;
  readonly latentChannels: number;
  /** What a diffusion model sees of its latents; scale 1 and shift 0 by default. */
  readonly scaling?: LatentScale;
}

/** The autoencoder of latent diffusion (Rombach et al. 2022), as Stable Diffusion, SD3 and Flux have it. */
export interface KLConfig extends Common {
  readonly kind: 'kl';
  /** Of each level, the one at the picture's size first. Each level but the last halves the sides. */
  readonly blockOutChannels: readonly number[];
  /** Residual blocks of a level; the decoder has one more. 2 by default. */
  readonly layersPerBlock?: number;
  /** Groups of channels that are normalised together; a divisor of all channels. 32 by default. */
  readonly normGroups?: number;
  /** Whether a 1x1 convolution follows the encoder. True by default; SD3 and Flux have none. */
  readonly quantConv?: boolean;
  /** Whether one precedes the decoder. True by default. */
  readonly postQuantConv?: boolean;
  /** Whether there is attention between the deepest level's blocks and the latent. True by default. */
  readonly midAttention?: boolean;
  /** Levels, counted from 0 at the picture's size, each of whose residual blocks is followed by attention; none by default. */
  readonly attentionLevels?: readonly number[];
}

/** The tiny autoencoder of the TAESD family (madebyollin/taesd). */
export interface TinyConfig extends Common {
  readonly kind: 'tiny';
  /** Channels of all layers of the encoder, 64 by default. */
  readonly encoderWidth?: number;
  readonly decoderWidth?: number;
  /** Residual blocks of each level of the encoder, the one at the picture's size first. [1, 3, 3, 3] by default. */
  readonly encoderBlocks?: readonly number[];
  /** Of the decoder, the deepest level first. [3, 3, 3, 1] by default. */
  readonly decoderBlocks?: readonly number[];
  /**
   * Groups of channels of the norm that blocks of the deepest level begin with (TAEF2, 4), so that all of a picture meets; 0, the
   * default: none.
   */
  readonly poolGroups?: number;
}

export type AutoencoderConfig = KLConfig | TinyConfig;
export type ResolvedKLConfig = Required<KLConfig>;
export type ResolvedTinyConfig = Required<TinyConfig>;
export type ResolvedAutoencoderConfig = ResolvedKLConfig | ResolvedTinyConfig;

/** Far beyond any: a latent pixel of 1024 pixels. */
const mostLevels = 11;
const mostBlocks = 64;

/**
 * Fills in defaults and checks that the sizes fit together.
 * @throws RectiflowError that names the field, what it must be and what it is
 */
export function resolveAutoencoderConfig(config: KLConfig): ResolvedKLConfig;
export function resolveAutoencoderConfig(config: TinyConfig): ResolvedTinyConfig;
export function resolveAutoencoderConfig(config: AutoencoderConfig): ResolvedAutoencoderConfig;
export function resolveAutoencoderConfig(config: AutoencoderConfig): ResolvedAutoencoderConfig {
  return config.kind === 'kl' ? resolveKL(config) : resolveTiny(config);
}

function resolveKL(config: KLConfig): ResolvedKLConfig {
  const resolved = {
    imageChannels: 3,
    scaling: { scale: 1, shift: 0 },
    layersPerBlock: 2,
    normGroups: 32,
    quantConv: true,
    postQuantConv: true,
    midAttention: true,
    attentionLevels: [],
    ...config,
  };
  const { imageChannels, latentChannels, blockOutChannels, layersPerBlock, normGroups } = resolved;
  const where = 'AutoencoderKL';
  checkSizes(where, { imageChannels, latentChannels, normGroups });
  checkCounts(where, 'layersPerBlock', [layersPerBlock], 1);
  checkLevels(where, 'blockOutChannels', blockOutChannels);
  checkSizes(
    where,
    Object.fromEntries(blockOutChannels.map((width, i) => [`blockOutChannels[${i}]`, width])),
  );
  const odd = blockOutChannels.find((width) => width % normGroups !== 0);
  if (odd !== undefined) {
    throw configError(where, 'blockOutChannels', `multiples of normGroups = ${normGroups}`, odd);
  }
  const last = blockOutChannels.length - 1;
  const noLevel = resolved.attentionLevels.find(
    (level) => !Number.isInteger(level) || level < 0 || level > last,
  );
  if (noLevel !== undefined) throw configError(where, 'attentionLevels', `levels from 0 to ${last}`, noLevel);
  checkScaling(where, resolved.scaling, latentChannels);
  return resolved;
}

function resolveTiny(config: TinyConfig): ResolvedTinyConfig {
  const resolved = {
    imageChannels: 3,
    scaling: { scale: 1, shift: 0 },
    encoderWidth: 64,
    decoderWidth: 64,
    encoderBlocks: [1, 3, 3, 3],
    decoderBlocks: [3, 3, 3, 1],
    poolGroups: 0,
    ...config,
  };
  const { imageChannels, latentChannels, encoderWidth, decoderWidth, encoderBlocks, decoderBlocks } =
    resolved;
  const where = 'AutoencoderTiny';
  checkSizes(where, { imageChannels, latentChannels, encoderWidth, decoderWidth });
  for (const [name, blocks] of Object.entries({ encoderBlocks, decoderBlocks })) {
    checkLevels(where, name, blocks);
    checkCounts(where, name, blocks, 0);
  }
  if (encoderBlocks.length !== decoderBlocks.length) {
    const wanted = `of as many levels as the encoder's, ${encoderBlocks.length}`;
    throw configError(where, 'decoderBlocks', wanted, decoderBlocks.length);
  }
  checkPool(where, resolved);
  checkScaling(where, resolved.scaling, latentChannels);
  return resolved;
}

/** Groups divide what the pool's first convolution makes, four times the width. */
function checkPool(where: string, { poolGroups, encoderWidth, decoderWidth }: ResolvedTinyConfig): void {
  const fits = [encoderWidth, decoderWidth].every((width) => (poolWidth * width) % poolGroups === 0);
  if (poolGroups === 0 || (Number.isSafeInteger(poolGroups) && poolGroups > 0 && fits)) return;
  const wanted = `0 or a divisor of ${poolWidth} times the widths ${encoderWidth} and ${decoderWidth}`;
  throw configError(where, 'poolGroups', wanted, poolGroups);
}

/** Channels within a pool, as a multiple of those around it. */
export const poolWidth = 4;

function checkLevels(where: string, name: string, list: readonly number[]): void {
  if (Array.isArray(list) && list.length >= 1 && list.length <= mostLevels) return;
  throw configError(where, name, `a list of 1 to ${mostLevels} whole numbers`, JSON.stringify(list));
}

function checkCounts(where: string, name: string, counts: readonly number[], least: number): void {
  const odd = counts.find((count) => !Number.isSafeInteger(count) || count < least || count > mostBlocks);
  if (odd !== undefined) throw configError(where, name, `a whole number from ${least} to ${mostBlocks}`, odd);
}

/** @throws RectiflowError where a list is not one number for each channel, or a scale is 0 */
function checkScaling(where: string, scaling: LatentScale, latentChannels: number): void {
  for (const name of ['scale', 'shift'] as const) {
    const given = scaling[name];
    const values = typeof given === 'number' ? [given] : given;
    const isRight = (value: number): boolean => Number.isFinite(value) && (name === 'shift' || value > 0);
    if (typeof given !== 'number' && values.length !== latentChannels) {
      throw configError(where, name, `one number or ${latentChannels}, one for each channel`, values.length);
    }
    const odd = values.find((value) => !isRight(value));
    if (odd !== undefined) throw configError(where, name, name === 'scale' ? 'above 0' : 'a number', odd);
  }
}

/** Pixels of a latent pixel's side. */
export function factorOf(config: AutoencoderConfig): number {
  const resolved = resolveAutoencoderConfig(config);
  const levels = resolved.kind === 'kl' ? resolved.blockOutChannels : resolved.encoderBlocks;
  return 2 ** (levels.length - 1);
}
