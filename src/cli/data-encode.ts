import { type Command, Option } from 'commander';
import { seenDeviation } from '../data/latents.ts';
import type { LatentsManifest } from '../sources/latents/manifest.ts';
import { counted } from '../tensor/counted.ts';
import { dataCommandOf } from './data-command.ts';
import { formatBytes, formatInteger, formatValue } from './format.ts';
import { finiteNumber, wholeNumber } from './options.ts';
import { shellWord, shortPath } from './paths.ts';
import { linesOf, print } from './print.ts';
import { runTask } from './task.ts';
import { TimeLeft } from './time-left.ts';

interface Options {
  readonly set?: readonly string[];
  readonly autoencoder: string;
  readonly out: string;
  readonly precision: 'float32' | 'float16';
  readonly batchSize: number;
  readonly scale?: number;
  readonly shift: number;
  readonly normGroups?: number;
  readonly memoryMib?: number;
  readonly shardMib?: number;
}

export function dataEncodeCommand(): Command {
  return dataCommandOf('encode')
    .summary('encode images as latents, by an autoencoder')
    .description(
      'Encodes all images of the data, once, into a new folder: what a latent diffusion model learns from. Where images are to be ' +
        'mirrored at random, the mirrored ones are encoded, too. Stopped at any time, the same command goes on.',
    )
    .requiredOption(
      '-a, --autoencoder <path>',
      'a folder of diffusers, a file of LDM, SD3 or Flux, those of the TAESD family, or a run of one of your own',
    )
    .requiredOption('-o, --out <folder>', 'the folder to make, or to go on with')
    .addOption(
      new Option('--precision <type>', 'of the latents in the files; float16 takes half of the disk')
        .choices(['float32', 'float16'])
        .default('float32'),
    )
    .option('-b, --batch-size <images>', 'that are encoded at a time', wholeNumber(1), 8)
    .option('--scale <factor>', 'of the latents, where the autoencoder does not tell', finiteNumber)
    .option('--shift <number>', 'what is taken from them before', finiteNumber, 0)
    .option('--norm-groups <number>', 'of an autoencoder that does not tell', wholeNumber(1))
    .option(
      '--memory-mib <number>',
      'that encoding may take beside the weights; larger images are encoded in tiles (default: 4096)',
      wholeNumber(1),
    )
    .option('--shard-mib <number>', 'a file is full with so many MiB (default: 128)', wholeNumber(1))
    .addHelpText(
      'after',
      `
Examples:
  rectiflow data encode photos.yaml --autoencoder sd-vae-ft-mse --out latents
  rectiflow data encode emoji --set data.size=64 --autoencoder taesd --out latents --precision float16
  rectiflow data encode emoji-autoencoder --autoencoder runs/emoji-autoencoder --out emoji-latents`,
    )
    .action(async (target: string, { set, out, scale, shift, memoryMib, shardMib, ...options }: Options) => {
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const { loadConfig } = await import('../config/load-config.ts');
        const { encodeData } = await import('../api/encode.ts');
        const { parsed } = await loadConfig(target, set, onNotice);
        const left = new TimeLeft();
        const manifest = await encodeData(parsed, out, {
          ...options,
          scaling: scale === undefined ? undefined : { scale, shift },
          memory: memoryMib === undefined ? undefined : memoryMib * 2 ** 20,
          shardMiB: shardMib,
          signal,
          onNotice,
          onProgress: (done, total) =>
            show(`encoding ${formatInteger(done)} of ${counted(total, 'image')}${left.of(done, total)}`),
        });
        clear();
        print(...(await encodedLines(shortPath(out), manifest)));
      });
    });
}

/** What was made, what a model will see of it, and the settings that read it. */
async function encodedLines(folder: string, manifest: LatentsManifest): Promise<string[]> {
  const { stringify } = await import('yaml');
  const { count, shards, files, settings, statistics } = manifest;
  const bytes = [...shards, ...files].reduce((sum, file) => sum + file.bytes, 0);
  const { shape, pictures, flip, autoencoder } = settings;
  const seen = seenDeviation(autoencoder.scaling, statistics);
  const [from, to] = [pictures, shape].map(
    ([channels, ...sides]) => `${sides.join('x')} of ${channels} channels`,
  );
  return [
    `${counted(count, 'image')}${flip > 0 ? ', each mirrored, too' : ''}, ${from}, became latents of ${to}: ${folder}, ${formatBytes(bytes)}`,
    `a model sees them with the deviation ${formatValue(seen)}, in the scale that the autoencoder states`,
    '',
    'To train on them, put this into a config:',
    '',
    ...linesOf(stringify({ data: { source: 'latents', path: folder } })),
    '',
    `Compare the files with their checksums:  npx rectiflow data verify ${shellWord(folder)}`,
  ];
}
