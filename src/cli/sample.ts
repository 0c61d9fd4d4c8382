import { basename, join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { AnySamplerName } from '../flow/samplers.ts';
import { listSome } from '../data/list-some.ts';
import { samplersOf } from '../train/objective.ts';
import { formatInteger } from './format.ts';
import {
  collect,
  cropPlace,
  finiteNumber,
  imageSides,
  numberFrom0,
  timeInterval,
  wholeNumber,
  numbersHelp,
} from './options.ts';
import { findRun, shortPath } from './paths.ts';
import { print } from './print.ts';
import { pathLines } from './sample-path.ts';
import { runTask } from './task.ts';
import { counted } from '../tensor/counted.ts';

interface Options {
  readonly labels?: string[];
  readonly prompt?: string[];
  readonly count?: number;
  readonly steps?: number;
  readonly guidance?: number;
  readonly imageSize?: [height: number, width: number];
  readonly originalSize?: [height: number, width: number];
  readonly targetSize?: [height: number, width: number];
  readonly cropAt?: [top: number, left: number];
  readonly seed: number;
  readonly out?: string;
  readonly sampler?: AnySamplerName;
  readonly timeShift?: number;
  readonly rtol?: number;
  readonly atol?: number;
  readonly diffusion?: number;
  readonly eta?: number;
  readonly clip?: number;
  readonly guidanceInterval?: [low: number, high: number];
  readonly weights?: string;
  readonly emaLength?: number;
  readonly checkpoint?: number;
  readonly autoencoder?: string;
  readonly latents?: boolean;
  readonly decode?: boolean;
  readonly path?: boolean;
}

export function sampleCommand(): Command {
  return new Command('sample')
    .summary('make samples with what a run has learnt')
    .description(
      'Makes samples with the weights of a run, which may still be training. Images: one PNG for each, in a folder for each ' +
        'class, and a grid of the first ones beside it. Latents are decoded. Gene expression: an .h5ad file.',
    )
    .argument('<run>', 'the folder of the run, such as runs/digits')
    .option(
      '-l, --labels <labels>',
      'the classes to sample, by name or number, as in cat,dog or 0-9; may be given several times (default: those of the run)',
      collect,
    )
    .option(
      '-p, --prompt <caption>',
      'a caption to sample, for a model that takes them; may be given several times (default: those of the run)',
      collect,
    )
    .option(
      '-c, --count <number>',
      'samples of each label or caption (default: 8; of cells without --labels as many of each class as the data have)',
      wholeNumber(1),
    )
    .option('--steps <number>', "steps from noise to image (default: the run's)", wholeNumber(1))
    .option(
      '-g, --guidance <scale>',
      "how strongly labels or captions are followed; 1 is plain (default: the run's)",
      finiteNumber,
    )
    .option(
      '--guidance-interval <low,high>',
      "the times with guidance, where 1 is noise; others cost half as much (default: the run's)",
      timeInterval,
    )
    .option(
      '--image-size <size>',
      'of the images, as in 64 or 48x64, in multiples of a patch (default: that which the model was trained at)',
      imageSides,
    )
    .option(
      '--original-size <size>',
      'of a model with sizeConditioning: what it is told that images were before they were resized (default: their size)',
      imageSides,
    )
    .option('--crop-at <top,left>', 'and where they were cropped, as in 0,32 (default: 0,0)', cropPlace)
    .option('--target-size <size>', 'and what they are (default: their size)', imageSides)
    .option('--seed <number>', 'the same seed gives the same samples', wholeNumber(0), 0)
    .option(
      '-o, --out <folder>',
      'a new folder to write to (default: samples/<run>, or samples/<run>-2, ...)',
    )
    .addOption(
      new Option('--sampler <name>', "the integrator (default: the run's)").choices(samplersOf('custom')),
    )
    .option(
      '--time-shift <number>',
      "above 1: more of the steps are near noise (default: the run's)",
      numberFrom0(true),
    )
    .option(
      '--rtol <number>',
      "dopri5: the error of a step in proportion to the values (default: the run's)",
      numberFrom0(true),
    )
    .option(
      '--atol <number>',
      "dopri5: the error of a step beside that (default: the run's)",
      numberFrom0(true),
    )
    .option(
      '--diffusion <number>',
      "euler-maruyama: how much noise is added on the way (default: the run's)",
      numberFrom0(),
    )
    .option(
      '--eta <number>',
      "ddim: how much noise is added on the way, 0 to 1 (default: the run's)",
      numberFrom0(),
    )
    .option(
      '--clip <number>',
      "ddim, ancestral: how far from 0 values may be foreseen; 0: as far as they are (default: the run's)",
      numberFrom0(),
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
    .option(
      '--autoencoder <path>',
      'of a run on latents: what decodes them (default: the one that the run has kept)',
    )
    .option('--latents', 'of a run on latents: write them, too, beside the pictures')
    .option('--no-decode', 'of a run on latents: write them alone')
    .addOption(
      new Option(
        '--path',
        'in place of samples: how one comes out of noise, with its velocity and where that leads, for one label or caption',
      ).conflicts(['count', 'latents']),
    )
    .option('--checkpoint <step>', 'the step of a checkpoint (default: the last)', wholeNumber(1))
    .addHelpText(
      'after',
      `
Examples:
  rectiflow sample runs/digits --labels 3,7 --count 4
  rectiflow sample runs/emoji --prompt "red heart" --prompt "smiling face"
  rectiflow sample runs/digits --labels 0-9 --count 100 --guidance 2 --seed 1 --out many-digits
  rectiflow sample runs/birds --image-size 48x64
  rectiflow sample runs/birds --labels 'house finch,"tench, Tinca tinca"' --labels '#7'
  rectiflow sample runs/digits --labels 3 --path
  rectiflow sample runs/digits --sampler heun --steps 12 --guidance-interval 0.2,0.8

Labels are names of classes, and commas divide them; a name with commas may stand alone or in quotes. A number is the class that is
called so; where there is none, or after #, it is the class of that number, counted from 0. A range, 0-9 or #0-9, is all its numbers.
${numbersHelp}`,
    )
    .action(
      async (
        given: string,
        { out, path, prompt: prompts, latents, originalSize, cropAt, targetSize, ...options }: Options,
      ) => {
        const run = findRun(given);
        await runTask(async ({ signal, onNotice, show, clear }) => {
          const { sample } = await import('../api/sample.ts');
          const { freeFolder, refuseFilled, writeSamples } =
            await import('../runner/samples/write-samples.ts');
          if (out !== undefined) await refuseFilled(out);
          const asked = {
            ...options,
            prompts,
            ...((originalSize || cropAt || targetSize) && {
              placement: {
                ...(originalSize && { original: originalSize }),
                ...(cropAt && { crop: cropAt }),
                ...(targetSize && { target: targetSize }),
              },
            }),
            signal,
            onNotice,
            onProgress: (done: number, total: number) =>
              show(`sampling ${Math.floor((100 * done) / total)} %`),
          };
          // Chosen when it is needed: another call may have begun later and be done before.
          const folderOf = async (ending = ''): Promise<string> =>
            out ?? freeFolder(join('samples', `${basename(resolve(run))}${ending}`));
          if (path) {
            const lines = await pathLines(run, asked, () => folderOf('-path'));
            clear();
            print(...lines);
            return;
          }
          const samples = await sample(run, asked);
          const folder = await folderOf();
          const written = await writeSamples(folder, samples, { latents });
          const { count, view, renamed = [] } = written;
          clear();
          if (renamed.length > 0) {
            const held = renamed.map(({ name, folder: of }) => `"${name}" in ${of}`);
            onNotice(`not every name of a class can be that of a folder: ${listSome(held)}`);
          }
          print(`${counted(count, 'sample')} of step ${formatInteger(samples.step)} in ${shortPath(folder)}`);
          if (written.latents !== undefined) print(`Latents are in ${shortPath(written.latents)}`);
          print(`Look at ${shortPath(view)}`);
        });
      },
    );
}
