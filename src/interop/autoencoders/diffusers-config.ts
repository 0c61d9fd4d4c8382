// config.json of diffusers' AutoencoderKL and AutoencoderTiny, which is also the format of ours.
import { configError, describeProblem } from '../../tensor/config-error.ts';
import { fileError } from '../../tensor/errors.ts';
import { shownJson } from '../../tensor/shown-json.ts';
import {
  type AutoencoderConfig,
  type ResolvedKLConfig,
  type ResolvedTinyConfig,
  resolveAutoencoderConfig,
} from '../../models/autoencoders/config.ts';
import type { LatentScale } from '../../tensor/latent-scale.ts';

type Facts = Readonly<Record<string, unknown>>;

/** What files do not tell, as whoever reads them knows it. */
export interface Told {
  readonly scaling?: LatentScale | undefined;
  /** Whether to refuse what does not tell its scaling, which is 1 and 0 then; true by default. */
  readonly isScalingNeeded?: boolean | undefined;
  /** Of kind kl, where there is no config.json. */
  readonly normGroups?: number | undefined;
}

export interface ReadConfig {
  readonly config: AutoencoderConfig;
  /** What the file does not say and was assumed, in whole sentences. */
  readonly assumptions: readonly string[];
}

/** That of diffusers' class, where a config.json has none. */
const defaultScale = 0.18215;
export const classNames = { kl: 'AutoencoderKL', tiny: 'AutoencoderTiny' } as const;

/** Whether a config.json is that of some autoencoder of diffusers, known here or not. */
export function isAutoencoderConfig({ _class_name: name }: Facts): boolean {
  return typeof name === 'string' && /autoencoder|VQModel|VAE/i.test(name);
}

/**
 * @param origin the file, for errors
 * @param told what goes before what the file says
 * @throws RectiflowError where it is the config of another class, or of a network that is none of ours; it names every setting
 */
export function fromDiffusersConfig(facts: Facts, origin: string, { scaling }: Told = {}): ReadConfig {
  const { _class_name: name } = facts;
  if (name === classNames.kl) return readKL(new Settings(facts, origin), scaling !== undefined);
  if (name === classNames.tiny) return readTiny(new Settings(facts, origin));
  const problem = `is the config of ${name === undefined ? 'no class (_class_name is missing)' : shownJson(name)}`;
  const known = Object.values(classNames).join(' and ');
  throw fileError(origin, problem, `${known} are read: give an autoencoder of one of these classes`);
}

function readKL(settings: Settings, isScalingTold: boolean): ReadConfig {
  settings.mustBe('act_fn', 'silu');
  const blockOutChannels = settings.numbers('block_out_channels', [64]);
  const config = {
    kind: 'kl',
    ...settings.channels(),
    blockOutChannels,
    attentionLevels: settings.attentionLevels(blockOutChannels.length),
    layersPerBlock: settings.number('layers_per_block', 1),
    normGroups: settings.number('norm_num_groups', 32),
    quantConv: settings.flag('use_quant_conv', true),
    postQuantConv: settings.flag('use_post_quant_conv', true),
    midAttention: settings.flag('mid_block_add_attention', true),
    scaling: settings.scaling(defaultScale),
  } as const;
  const assumed =
    settings.lacks('scaling_factor') && !isScalingTold
      ? [`${settings.origin} names no scaling_factor: ${defaultScale} is assumed, as diffusers does.`]
      : [];
  return { config: settings.checked(config), assumptions: assumed };
}

function readTiny(settings: Settings): ReadConfig {
  settings.mustBe('act_fn', 'relu');
  settings.mustBe('upsample_fn', 'nearest');
  settings.mustBe('upsampling_scaling_factor', 2);
  const config = {
    kind: 'tiny',
    ...settings.channels(),
    encoderWidth: settings.width('encoder_block_out_channels'),
    decoderWidth: settings.width('decoder_block_out_channels'),
    encoderBlocks: settings.numbers('num_encoder_blocks', [1, 3, 3, 3]),
    decoderBlocks: settings.numbers('num_decoder_blocks', [3, 3, 3, 1]),
    poolGroups: settings.number('pool_groups', 0),
    scaling: settings.scaling(1),
  } as const;
  return { config: settings.checked(config), assumptions: [] };
}

/** Reads settings that may be left out or null, and collects what is wrong with them. */
class Settings {
  readonly origin: string;
  readonly #facts: Facts;
  readonly #problems: string[] = [];

  constructor(facts: Facts, origin: string) {
    this.#facts = facts;
    this.origin = origin;
  }

  lacks(name: string): boolean {
    return (this.#facts[name] ?? undefined) === undefined;
  }

  number(name: string, byDefault: number): number {
    return this.#of(name, byDefault, 'a number', (value) => Number.isFinite(value));
  }

  flag(name: string, byDefault: boolean): boolean {
    return this.#of(name, byDefault, 'true or false', (value) => typeof value === 'boolean');
  }

  numbers(name: string, byDefault: readonly number[]): readonly number[] {
    return this.#of(name, byDefault, 'a list of numbers', isNumbers);
  }

  /** Channels of all levels, which are equal in networks of this kind. */
  width(name: string): number {
    const widths = this.#of(name, [64, 64, 64, 64], 'a list of equal numbers', isNumbers);
    const [width = 0] = widths;
    if (widths.some((other) => other !== width)) this.#note(name, 'equal numbers');
    return width;
  }

  channels(): { imageChannels: number; latentChannels: number } {
    const imageChannels = this.number('in_channels', 3);
    if (this.number('out_channels', 3) !== imageChannels) {
      this.#note('out_channels', `${imageChannels}, as in_channels`);
    }
    return { imageChannels, latentChannels: this.number('latent_channels', 4) };
  }

  /**
   * latents_mean and latents_std are of each channel, and scaling_factor is what the quotient is multiplied with. latents_scale is ours:
   * one over a deviation that was one over a scale need not be the scale to the bit.
   */
  scaling(byDefault: number): LatentScale {
    const factor = this.number('scaling_factor', byDefault);
    const shift = this.number('shift_factor', 0);
    const means = this.numbers('latents_mean', []);
    const deviations = this.numbers('latents_std', []);
    const scales = this.numbers(
      'latents_scale',
      deviations.map((deviation) => factor / deviation),
    );
    return {
      scale: scales.length === 0 ? factor : scales,
      shift: means.length === 0 ? shift : means,
    };
  }

  mustBe(name: string, wanted: string | number): void {
    if (!this.lacks(name) && this.#facts[name] !== wanted) this.#note(name, shownJson(wanted));
  }

  /** Of kind kl: encoder and decoder have them at the same levels, the decoder's being counted from the deepest one. */
  attentionLevels(levels: number): readonly number[] {
    const down = this.#attends('down_block_types', 'DownEncoderBlock2D', levels);
    const up = this.#attends('up_block_types', 'UpDecoderBlock2D', levels).toReversed();
    if (down.some((attends, level) => attends !== up[level])) {
      this.#note('up_block_types', 'attention at the levels that have it in down_block_types');
    }
    return down.flatMap((attends, level) => (attends ? [level] : []));
  }

  /** Whether each level's blocks are `Attn` and the plain type. */
  #attends(name: string, plain: string, levels: number): boolean[] {
    const types = this.#of(
      name,
      Array.from({ length: levels }, () => plain),
      `${plain} or Attn${plain} for each of ${levels} levels`,
      (value) =>
        Array.isArray(value) &&
        value.length === levels &&
        value.every((type) => type === plain || type === `Attn${plain}`),
    );
    return types.map((type) => type !== plain);
  }

  /** @throws RectiflowError for all that is wrong */
  checked<C extends AutoencoderConfig>(config: C): C {
    if (this.#problems.length > 0) throw configError(this.origin, this.#problems);
    try {
      resolveAutoencoderConfig(config as AutoencoderConfig);
    } catch (error) {
      throw fileError(this.origin, (error as Error).message, 'Get the folder again', error);
    }
    return config;
  }

  #of<V>(name: string, byDefault: V, wanted: string, isRight: (value: unknown) => boolean): V {
    if (this.lacks(name)) return byDefault;
    const value = this.#facts[name];
    if (isRight(value)) return value as V;
    this.#note(name, wanted);
    return byDefault;
  }

  #note(name: string, wanted: string): void {
    this.#problems.push(describeProblem([name], wanted, this.#facts[name]));
  }
}

function isNumbers(value: unknown): boolean {
  return Array.isArray(value) && value.every((entry) => Number.isFinite(entry));
}

/** As diffusers writes it; pool_groups and latents_scale are ours, and only where there is such a thing. */
export function toDiffusersConfig(config: AutoencoderConfig): Record<string, unknown> {
  const resolved = resolveAutoencoderConfig(config);
  const { imageChannels, latentChannels, scaling } = resolved;
  return {
    _class_name: classNames[resolved.kind],
    in_channels: imageChannels,
    out_channels: imageChannels,
    latent_channels: latentChannels,
    ...(resolved.kind === 'kl' ? ofKL(resolved) : ofTiny(resolved)),
    ...ofScaling(scaling),
  };
}

function ofKL(config: ResolvedKLConfig): Record<string, unknown> {
  const { blockOutChannels, attentionLevels } = config;
  const types = (plain: string): string[] =>
    blockOutChannels.map((_, level) => (attentionLevels.includes(level) ? `Attn${plain}` : plain));
  return {
    act_fn: 'silu',
    block_out_channels: blockOutChannels,
    down_block_types: types('DownEncoderBlock2D'),
    up_block_types: types('UpDecoderBlock2D').toReversed(),
    layers_per_block: config.layersPerBlock,
    mid_block_add_attention: config.midAttention,
    norm_num_groups: config.normGroups,
    use_quant_conv: config.quantConv,
    use_post_quant_conv: config.postQuantConv,
  };
}

function ofTiny(config: ResolvedTinyConfig): Record<string, unknown> {
  const { encoderBlocks, decoderBlocks, encoderWidth, decoderWidth, poolGroups } = config;
  return {
    act_fn: 'relu',
    block_out_channels: decoderBlocks.map(() => decoderWidth),
    encoder_block_out_channels: encoderBlocks.map(() => encoderWidth),
    decoder_block_out_channels: decoderBlocks.map(() => decoderWidth),
    num_encoder_blocks: encoderBlocks,
    num_decoder_blocks: decoderBlocks,
    latent_magnitude: 3,
    latent_shift: 0.5,
    upsample_fn: 'nearest',
    upsampling_scaling_factor: 2,
    ...(poolGroups > 0 && { pool_groups: poolGroups }),
  };
}

function ofScaling({ scale, shift }: LatentScale): Record<string, unknown> {
  return {
    ...(typeof scale === 'number'
      ? { scaling_factor: scale }
      : { scaling_factor: 1, latents_std: scale.map((value) => 1 / value), latents_scale: scale }),
    ...(typeof shift === 'number' ? { shift_factor: shift } : { shift_factor: null, latents_mean: shift }),
  };
}
