import type { Command } from 'commander';
import { dataCommandOf } from './data-command.ts';
import { wholeNumber } from './options.ts';
import { shortPath } from './paths.ts';
import { print } from './print.ts';
import { runTask } from './task.ts';
import { counted } from '../tensor/counted.ts';

interface Options {
  readonly set?: readonly string[];
  readonly out: string;
  readonly count: number;
  readonly epoch: number;
  readonly autoencoder?: string;
}

export function dataPreviewCommand(): Command {
  return dataCommandOf('preview')
    .summary('draw what the model will see')
    .description(
      'Draws the first samples that a training reads, in their order and after all transforms, with class or caption below ' +
        'each. What is smaller than about 144 pixels is enlarged, what is larger than 256 is reduced.',
    )
    .option('-o, --out <file>', 'the PNG file to write', 'preview.png')
    .option('-c, --count <number>', 'how many samples', wholeNumber(1), 64)
    .option(
      '-e, --epoch <number>',
      'another epoch has another order and other random crops',
      wholeNumber(0),
      0,
    )
    .option('--autoencoder <path>', 'what makes pictures of latents (default: the one that they come with)')
    .addHelpText(
      'after',
      `
Examples:
  rectiflow data preview emoji
  rectiflow data preview my-config.yaml --count 16 --epoch 1 --out epoch-1.png`,
    )
    .action(async (target: string, { set, out, count, epoch, autoencoder }: Options) => {
      await runTask(async ({ signal, onNotice }) => {
        const { loadConfig } = await import('../config/load-config.ts');
        const { previewData } = await import('../api/data.ts');
        const { parsed } = await loadConfig(target, set, onNotice);
        const preview = await previewData(parsed, out, { count, epoch, autoencoder, signal, onNotice });
        const { count: drawn, latentChannels } = preview;
        print(`${counted(drawn, 'sample')}, the first of epoch ${epoch}`);
        if (latentChannels !== undefined) {
          const channels = latentChannels === 1 ? 'channel' : `${latentChannels} channels`;
          print(
            `These are latents: drawn are the first ${channels}, each from its least to its largest value.`,
          );
        }
        print(`Look at ${shortPath(out)}`);
      });
    });
}
