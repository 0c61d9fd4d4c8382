import { Command } from 'commander';
import type { InfoOptions } from './info-model.ts';
import { imageSides, wholeNumber } from './options.ts';
import { findRun } from './paths.ts';
import { print } from './print.ts';

export function infoCommand(): Command {
  return new Command('info')
    .summary('say what a run or a model is, costs and needs')
    .description(
      'Describes a run: what it trains, how far it is, what its model costs. Or a model by its name, before any of it is there.',
    )
    .argument(
      '<run-or-model>',
      'the folder of a run, or a model such as DiT-S/8: size Ti, S, B, L or XL, then patch size',
    )
    .option('--image-size <pixels>', 'for a model: the side of its images, or HEIGHTxWIDTH', imageSides)
    .option('--channels <number>', 'for a model: the channels of its images', wholeNumber(1), 3)
    .option('--classes <number>', 'for a model: how many classes; 0 for none', wholeNumber(0), 0)
    .addHelpText(
      'after',
      `
Examples:
  rectiflow info runs/digits
  rectiflow info DiT-XL/8 --image-size 256 --classes 1000`,
    )
    .action(async (target: string, options: InfoOptions) => {
      const lines = target.startsWith('DiT-')
        ? await (await import('./info-model.ts')).describeModel(target, options)
        : await (await import('./info-run.ts')).describeRun(findRun(target));
      print(...lines);
    });
}
