import type { Shape } from '../../tensor/shape.ts';
import type { SampleModel, VelocityModel } from '../model.ts';
import type { TextConfig } from '../text-dit-config.ts';
import type { SettingsOf } from './setting.ts';

/** What a model is made for. */
export interface SampleFacts {
  /** Of a sample. */
  readonly shape: Shape;
  readonly classes?: number | undefined;
  readonly captions?: boolean | undefined;
}

/** What a model is made of beside its settings. */
export interface Ingredients {
  /** Of a model that is told captions: what they are for it. */
  readonly text?: TextConfig | undefined;
  /** That of the program. */
  readonly own?: VelocityModel | undefined;
}

/** All that is known of a kind of model outside its own code. A new kind is a file of this folder and its lines in `index.ts`. */
export interface Kind<Config> {
  /** Names, limits, defaults, and what docs say. */
  readonly settings: SettingsOf<Config>;
  /** Whether data are for such a model, where the config names no kind; the first that says so is taken. */
  fits?(facts: SampleFacts): boolean;
  /** The settings that the data tell. */
  fromData(facts: SampleFacts): Partial<Config>;
  /** @throws RectiflowError where the settings do not fit together */
  create(config: Config, ingredients: Ingredients): SampleModel;
  /** For people: what a sample is, and what it is of a network; none where settings do not tell. */
  describe?(config: Config): {
    readonly samples: string;
    readonly network: readonly [name: string, text: string];
  };
}
