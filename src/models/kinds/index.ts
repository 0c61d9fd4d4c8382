// The kinds of models that a config can name.
import { type AutoencoderSettings, autoencoder } from './autoencoder.ts';
import { type CustomModel, custom } from './custom.ts';
import { type ImageModel, dit } from './dit.ts';
import { type ExpressionModel, expressionDiT } from './expression-dit.ts';
import type { Kind } from './kind.ts';
import { type TextModel, textDiT } from './text-dit.ts';

/** Their settings. */
interface Kinds {
  readonly dit: ImageModel;
  readonly 'text-dit': TextModel;
  readonly 'expression-dit': ExpressionModel;
  readonly autoencoder: AutoencoderSettings;
  readonly custom: CustomModel;
}

export type KindName = keyof Kinds;

/**
 * By what the data are: images, with classes or without; images with captions; gene expression. Or an autoencoder of images, or what a
 * program brings.
 */
export type ModelConfig = Kinds[KindName];

export const kinds: { readonly [Name in KindName]: Kind<Kinds[Name]> } = {
  dit,
  'text-dit': textDiT,
  'expression-dit': expressionDiT,
  autoencoder,
  custom,
};

export const kindNames: readonly KindName[] = Object.keys(kinds) as KindName[];

/** The description of a kind, for whoever does not ask which it is: its functions take the settings of that kind. */
export function kindOf(name: KindName): Kind<ModelConfig> {
  return kinds[name] as Kind<ModelConfig>;
}

/** Every setting that some kind has. */
export type ModelSettings = {
  readonly [Name in Exclude<SettingName<ModelConfig>, 'kind'>]: ValueOf<ModelConfig, Name>;
};

type SettingName<Config> = Config extends unknown ? keyof Config : never;
type ValueOf<Config, Name extends PropertyKey> = Config extends unknown
  ? Name extends keyof Config
    ? Config[Name]
    : never
  : never;
