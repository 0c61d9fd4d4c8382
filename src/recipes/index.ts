import type { ConfigInput } from '../config/config.ts';
import { digits } from './digits.ts';
import { emoji, emojiClasses } from './emoji.ts';
import { emojiAutoencoder, emojiLatents } from './emoji-latents.ts';
import { imagenet } from './imagenet.ts';
import { pbmc } from './pbmc.ts';

export interface Recipe {
  /** One line for people. */
  readonly description: string;
  readonly config: ConfigInput;
  /** Where nobody but the user can bring the data. */
  readonly expects?: ExpectedData;
}

/** What the data of a recipe are. */
export interface ExpectedData {
  readonly name: string;
  /** What `data.path` has to lead to, for errors: `a folder with ...` */
  readonly layout: string;
  readonly count: number;
  readonly classes: number;
}

/** Ready configs, by the name that `rectiflow train` takes. */
export const recipes: Readonly<Record<string, Recipe>> = {
  digits: { description: 'handwritten digits (MNIST) by class, 28x28, minutes on a CPU', config: digits },
  emoji: { description: 'emoji by their names, 32x32, ten minutes on a CPU', config: emoji },
  'emoji-classes': {
    description: 'emoji by category, 32x32, ten minutes on a CPU',
    config: emojiClasses,
  },
  'emoji-autoencoder': {
    description: 'an autoencoder of emoji, 64x64 to latents, minutes on a CPU',
    config: emojiAutoencoder,
  },
  'emoji-latents': {
    description: 'emoji by their names, 64x64, in latents that docs/latents.md says how to make',
    config: emojiLatents,
  },
  pbmc: {
    description: 'gene expression of blood cells by type, minutes on a CPU; give data.path',
    config: pbmc,
  },
  imagenet: {
    description: 'DiT-XL/8 on ImageNet by class, 256x256, weeks on fast GPUs; give data.path',
    config: imagenet,
    expects: {
      name: 'ImageNet',
      layout:
        'the folder of the training images, which has a folder for each of the 1,000 classes (n01440764, n01443537, ...) with its .JPEG files in it',
      count: 1_281_167,
      classes: 1000,
    },
  },
};
