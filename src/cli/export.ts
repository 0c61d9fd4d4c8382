import { Command, Option } from 'commander';
import { type ExportLayout, exportLayouts } from '../api/export/layouts.ts';
import { numberFrom0, wholeNumber } from './options.ts';
import { findRun, shortPath } from './paths.ts';
import { print } from './print.ts';
import { runTask } from './task.ts';

interface Options {
  readonly to: string;
  readonly layout?: ExportLayout;
  readonly weights?: string;
  readonly emaLength?: number;
  readonly checkpoint?: number;
}

export function exportCommand(): Command {
  return new Command('export')
    .summary('write the weights of a run for other systems')
    .description(
      'Writes the weights of a DiT. public: one .safetensors file with the names of the public DiT release. diffusers: a folder ' +
        'for its DiTTransformer2DModel. onnx: the velocity as a model for other runtimes, with the weights inside. Or an autoencoder: a ' +
        'folder for diffusers, with the scale of its latents, which is measured on its data.',
    )
    .argument('<run>', 'the folder of the run, such as runs/digits')
    .requiredOption('-t, --to <path>', 'the file or folder to write, which must not be there yet')
    .addOption(
      new Option('--layout <name>', 'the form (default: public; of an autoencoder diffusers)').choices([
        ...exportLayouts,
      ]),
    )
    .option(
      '--weights <which>',
      'ema: averaged over the last steps; model: as they are; ema:0.999: of another average (default: ema)',
    )
    .option(
      '--ema-length <share>',
      'in place of --weights: an average of this length, as `rectiflow average` makes it',
      numberFrom0(true),
    )
    .option('--checkpoint <step>', 'the step of a checkpoint (default: the last)', wholeNumber(0))
    .addHelpText(
      'after',
      `
Examples:
  rectiflow export runs/digits --to digits.safetensors
  rectiflow export runs/digits --to digits-diffusers --layout diffusers
  rectiflow export runs/digits --to digits.onnx --layout onnx
  rectiflow export runs/emoji-autoencoder --to emoji-vae`,
    )
    .action(async (given: string, options: Options) => {
      await runTask(async ({ onNotice }) => {
        const { exportRun } = await import('../api/export/run.ts');
        await exportRun(findRun(given), { ...options, onNotice });
        print(`Written: ${shortPath(options.to)}`);
      });
    });
}
