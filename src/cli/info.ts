import { Command } from 'commander';
import type { InfoOptions } from './info-model.ts';
import { imageSides, wholeNumber } from './options.ts';
import { findRun } from './paths.ts';
import { print } from './print.ts';

export function infoCommand(): Command {
  return new Command('info')
    .summary('say what a run, a model or an autoencoder is, costs and needs')
    .description(
      'Describes a run: what it trains, how far it is, what its model costs. Or a model by its name, before any of it is there. Or an autoencoder, in any form that is read.',
    )
    .argument(
      '<run-or-model>',
      'the folder of a run, a model such as DiT-S/8 (size Ti, S, B, L or XL, then patch size), or the folder or file of an autoencoder',
    )
    .option(
      '--image-size <pixels>',
      'for a model or an autoencoder: the side of its images, or HEIGHTxWIDTH',
      imageSides,
    )
    .option('--channels <number>', 'for a model: the channels of its images', wholeNumber(1), 3)
    .option('--classes <number>', 'for a model: how many classes; 0 for none', wholeNumber(0), 0)
    .addHelpText(
      'after',
      `
Examples:
  rectiflow info runs/digits
  rectiflow info DiT-XL/8 --image-size 256 --classes 1000
  rectiflow info sdxl-vae --image-size 1024`,
    )
    .action(async (target: string, options: InfoOptions) => {
      const lines = await describe(target, options);
      print(...lines);
    });
}

/** Each in a file of its own, which is loaded where it is needed. */
async function describe(target: string, options: InfoOptions): Promise<string[]> {
  if (target.startsWith('DiT-')) return (await import('./info-model.ts')).describeModel(target, options);
  const { looksLikeAutoencoder } = await import('../interop/autoencoders/open.ts');
  if (await looksLikeAutoencoder(target))
    return (await import('./info-autoencoder.ts')).describeAutoencoder(target, options);
  return (await import('./info-run.ts')).describeRun(findRun(target));
}
