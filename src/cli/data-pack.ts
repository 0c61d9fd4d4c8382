import { type Command, Option } from 'commander';
import type { Manifest } from '../sources/pack/manifest.ts';
import { dataCommandOf } from './data-command.ts';
import { formatBytes, formatInteger } from './format.ts';
import { wholeNumber } from './options.ts';
import { shellWord, shortPath } from './paths.ts';
import { linesOf, print } from './print.ts';
import { runTask } from './task.ts';
import { counted } from '../tensor/counted.ts';

interface Options {
  readonly set?: readonly string[];
  readonly to: string;
  readonly form: 'shards' | 'array';
  readonly samplesPerShard?: number;
  readonly shardMib?: number;
}

export function dataPackCommand(): Command {
  return dataCommandOf('pack')
    .summary('write data as tar shards or as an array, with checksums')
    .description(
      'Writes all samples, as the model sees them, into a new folder. Reading that is faster than decoding and resizing them ' +
        'in every epoch, and gives the same values bit for bit.',
    )
    .requiredOption('-t, --to <folder>', 'the folder to make')
    .addOption(
      new Option('-f, --form <form>', 'tar files of PNG images, which other programs read too; or raw values')
        .choices(['shards', 'array'])
        .default('shards'),
    )
    .option(
      '--samples-per-shard <number>',
      'a shard is full with so many samples (default: 10000)',
      wholeNumber(1),
    )
    .option('--shard-mib <number>', 'or with so many MiB (default: 256)', wholeNumber(1))
    .addHelpText(
      'after',
      `
Examples:
  rectiflow data pack my-config.yaml --to packed
  rectiflow data pack my-config.yaml --to packed --form array`,
    )
    .action(async (target: string, { set, to, form, samplesPerShard, shardMib }: Options) => {
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const { loadConfig } = await import('../config/load-config.ts');
        const { packData } = await import('../api/data.ts');
        const { parsed } = await loadConfig(target, set, onNotice);
        const manifest = await packData(parsed, to, {
          form,
          samplesPerShard,
          shardMiB: shardMib,
          signal,
          onNotice,
          onProgress: (done, total) => show(`packing ${formatInteger(done)} of ${counted(total, 'sample')}`),
        });
        clear();
        print(...(await packedLines(shortPath(to), manifest)));
      });
    });
}

/** What was made, and the settings that read it. */
export async function packedLines(
  folder: string,
  { form, count, shape, files }: Manifest,
): Promise<string[]> {
  const { stringify } = await import('yaml');
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const [channels, height, width] = shape;
  const data =
    form === 'array'
      ? { source: 'array', path: folder }
      : {
          source: 'shards',
          path: `${folder}/*.tar`,
          ...(channels === 1 && { channels }),
          size: height === width ? height : [height, width],
        };
  return [
    `${counted(count, 'sample')} in ${counted(files.length, 'file')}, ${formatBytes(bytes)}: ${folder}`,
    '',
    'To train on them, put this into a config:',
    '',
    ...linesOf(stringify({ data })),
    '',
    `Compare the files with their checksums:  npx rectiflow data verify ${shellWord(folder)}`,
  ];
}
