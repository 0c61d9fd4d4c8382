import { Command, Option } from 'commander';
import { type ConventionName, conventions } from '../api/import/conventions.ts';
import { finiteNumber, imageSides, wholeNumber } from './options.ts';
import { shellWord, shortPath } from './paths.ts';
import { print } from './print.ts';
import { runTask } from './task.ts';

interface Options {
  readonly name?: string;
  readonly weights?: 'ema' | 'model';
  readonly heads?: number;
  readonly imageSize?: [height: number, width: number];
  readonly convention?: ConventionName;
  readonly timeScale?: number;
  readonly latentScale?: number;
  readonly latentShift: number;
  readonly latentStatistics?: string;
  readonly autoencoder?: string;
  readonly config?: string;
}

export function importCommand(): Command {
  return new Command('import')
    .summary('make a run of weights from PyTorch or diffusers')
    .description(
      'Makes a run of the weights of a DiT, SiT or LightningDiT: a .pt file of PyTorch, a .safetensors file with the public names, or the ' +
        "folder of diffusers' DiTTransformer2DModel. Nothing in the file is executed.",
    )
    .argument('<file>', 'the file or folder')
    .option('-n, --name <name>', "of the run (default: the file's)")
    .addOption(
      new Option(
        '--weights <which>',
        'the set to take (default: averaged and plain ones, each as what it is)',
      ).choices(['ema', 'model']),
    )
    .option('--heads <number>', 'attention heads, where the file does not tell', wholeNumber(1))
    .option(
      '--image-size <pixels>',
      "the model's, as in 32 or 16x32, where the file does not tell",
      imageSides,
    )
    .addOption(
      new Option(
        '--convention <name>',
        'what the weights were trained to say, where the file does not tell',
      ).choices(Object.keys(conventions)),
    )
    .option('--time-scale <factor>', "what t is multiplied with (default: the convention's)", finiteNumber)
    .option(
      '--latent-scale <factor>',
      'what latents were multiplied with, for a model of latents',
      finiteNumber,
    )
    .option('--latent-shift <number>', 'what was taken from them before', finiteNumber, 0)
    .option(
      '--latent-statistics <file>',
      'latents_stats.pt of LightningDiT: the mean and deviation of each channel, in place of these two',
    )
    .option(
      '--autoencoder <path>',
      'of a model of latents: their autoencoder, which says their scale and shift, and makes pictures of samples',
    )
    .option('--config <recipe or file>', 'data and settings to train on with')
    .addHelpText(
      'after',
      `
Conventions:
${Object.entries(conventions)
  .map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`)
  .join('\n')}

Examples:
  rectiflow import SiT-XL-2-256.pt --convention sit --heads 16 --autoencoder sd-vae-ft-ema
  rectiflow import weights.safetensors --config my-config.yaml --name fine-tuned`,
    )
    .action(async (path: string, { config, latentScale, latentShift, ...options }: Options) => {
      const { loadConfig } = await import('../config/load-config.ts');
      const loaded = config === undefined ? undefined : (await loadConfig(config)).config;
      await runTask(async ({ onNotice, clear }) => {
        const { importRun } = await import('../api/import/run.ts');
        const { run } = await importRun(path, {
          ...options,
          config: loaded,
          latents: latentScale === undefined ? undefined : { scale: latentScale, shift: latentShift },
          onNotice,
        });
        clear();
        print(`The weights are in ${shortPath(run)}`);
        print(`Make samples:  npx rectiflow sample ${shellWord(run)}`);
        if (loaded) print(`Train on:  npx rectiflow resume ${shellWord(run)}`);
      });
    });
}
