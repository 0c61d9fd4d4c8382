import { Command } from 'commander';
import { setOption } from './options.ts';

/** What the commands on the data of a config have in common: the config, and changes to it. */
export function dataCommandOf(name: string): Command {
  return new Command(name)
    .argument(
      '<recipe-file-or-data>',
      'a recipe; a .yaml or .json file, which needs no more than data; or the data themselves: a folder of images, a file',
    )
    .addOption(setOption());
}
