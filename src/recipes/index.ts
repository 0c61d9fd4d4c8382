import type { ConfigInput } from '../config/config.ts';
import { digits } from './digits.ts';
import { emoji, emojiClasses } from './emoji.ts';
import { pbmc } from './pbmc.ts';

export interface Recipe {
  /** One line for people. */
  readonly description: string;
  readonly config: ConfigInput;
}

/** Ready configs, by the name that `rectiflow train` takes. */
export const recipes: Readonly<Record<string, Recipe>> = {
  digits: { description: 'handwritten digits (MNIST) by class, 28x28, minutes on a CPU', config: digits },
  emoji: { description: 'emoji by their names, 32x32, ten minutes on a CPU', config: emoji },
  'emoji-classes': {
    description: 'emoji by category, 32x32, ten minutes on a CPU',
    config: emojiClasses,
  },
  pbmc: {
    description: 'gene expression of blood cells by type, minutes on a CPU; give data.path',
    config: pbmc,
  },
};
