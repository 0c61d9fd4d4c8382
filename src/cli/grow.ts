import { Command, Option } from 'commander';
import type { GrowthWanted } from '../api/grow/config.ts';
import { imageSides, setOption, wholeNumber } from './options.ts';
import { findRun, shellWord, shortPath } from './paths.ts';
import { print } from './print.ts';
import { runTask } from './task.ts';

interface Options extends Pick<GrowthWanted, 'patchSize' | 'positions' | 'kernels' | 'moments' | 'name'> {
  readonly imageSize?: [height: number, width: number];
  readonly checkpoint?: number;
  readonly set?: readonly string[];
}

export function growCommand(): Command {
  return new Command('grow')
    .summary('make a run of the weights of another, at a larger size')
    .description(
      'Makes a new run of the weights of another, for larger images or patches of another size. What has a place for each pixel of a ' +
        'patch is resized, positions are computed for the new grid of tokens, all else is kept, and so are averages; ' +
        'the moments of the optimizer begin with zero, or are kept (--moments).',
    )
    .argument('<run>', 'the folder of the run that grows, which is only read')
    .option('--image-size <pixels>', "of the new run, as in 64 or 48x64 (default: the run's)", imageSides)
    .option('--patch-size <pixels>', "side of a patch (default: the run's)", wholeNumber(1))
    .addOption(
      new Option(
        '--positions <where>',
        'where tokens lie: as the run places them (kept), or stretched over the grid that it knows',
      )
        .choices(['kept', 'stretched', 'centred'])
        .default('kept'),
    )
    .addOption(
      new Option(
        '--kernels <how>',
        "how patch kernels are resized (default: as the run's growth.kernels)",
      ).choices(['pseudo-inverse', 'bilinear']),
    )
    .addOption(
      new Option('--moments <which>', "the optimizer's (default: as the run's growth.moments)").choices([
        'kept',
        'new',
      ]),
    )
    .option(
      '--checkpoint <step>',
      'the step of a checkpoint to grow from (default: the last)',
      wholeNumber(0),
    )
    .option('-n, --name <name>', 'of the new run (default: that of the run, with the size)')
    .addOption(setOption('change a setting of the new run'))
    .addHelpText(
      'after',
      `
Examples:
  rectiflow grow runs/emoji-classes --image-size 64 --patch-size 8
  rectiflow grow runs/photos --image-size 256 --positions stretched --set train.steps=5000 --name photos-256`,
    )
    .action(async (given: string, { set = [], ...options }: Options) => {
      const { configOf } = await import('../config/load-config.ts');
      const changes = await configOf(set);
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const { growRun } = await import('../api/grow/run.ts');
        const grown = await growRun(findRun(given), {
          ...options,
          changes,
          signal,
          onNotice,
          onProgress: show,
        });
        clear();
        for (const text of grown.told) print(text);
        const run = shellWord(shortPath(grown.run));
        print(
          `The new run is ${shortPath(grown.run)}, of ${shortPath(findRun(given))} at step ${grown.step}`,
        );
        print(`Train it:  npx rectiflow resume ${run}`);
        print(`Make samples with what it begins with:  npx rectiflow sample ${run}`);
      });
    });
}
