import { Command } from 'commander';
import { finiteNumber, numbersHelp, wholeNumber, wholeNumbers } from './options.ts';
import { findRun, shortPath } from './paths.ts';
import { print } from './print.ts';
import { straightnessLines } from './straightness-view.ts';
import { runTask } from './task.ts';
import { TimeLeft } from './time-left.ts';

interface Options {
  readonly count: number;
  readonly steps: number;
  readonly guidance?: number;
  readonly evaluations?: number[];
  readonly seed: number;
  readonly weights?: string;
  readonly out?: string;
}

export function straightnessCommand(): Command {
  return new Command('straightness')
    .summary('how far the paths of samples are from straight lines, and what few evaluations make of them')
    .description(
      'Follows the paths from noise to samples and measures how far they are from straight lines (S of Liu et al. 2022), over t. Then ' +
        'makes samples with few evaluations of the model, for all runs from the same noise.',
    )
    .argument('<runs...>', 'the folders of one or several runs, such as runs/digits runs/digits-reflow')
    .option('-c, --count <number>', 'paths to follow', wholeNumber(1), 64)
    .option('--steps <number>', 'steps along each', wholeNumber(2), 100)
    .option(
      '-g, --guidance <scale>',
      'on the way (default: none, which is the flow that was trained)',
      finiteNumber,
    )
    .option(
      '-e, --evaluations <numbers>',
      'of the model, for the samples that are shown (default: 1,2,4,8,50)',
      wholeNumbers,
    )
    .option('--seed <number>', 'the same seed gives the same paths', wholeNumber(0), 0)
    .option('--weights <which>', 'as for sample (default: ema)')
    .option('-o, --out <folder>', 'where to write (default: straightness in the folder of the first run)')
    .addHelpText(
      'after',
      `
Examples:
  rectiflow straightness runs/digits
  rectiflow straightness runs/digits runs/digits-reflow --count 256

${numbersHelp}`,
    )
    .action(async (given: string[], options: Options) => {
      const runs = given.map(findRun);
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const { reportStraightness } = await import('../report/straightness.ts');
        const lefts = new Map<string, TimeLeft>();
        const { measured, files } = await reportStraightness(runs, {
          ...options,
          signal,
          onNotice,
          onProgress: (what, done, total) => {
            const left = lefts.get(what) ?? new TimeLeft();
            lefts.set(what, left);
            show(`${what} ${Math.floor((100 * done) / total)} %${left.of(done, total)}`);
          },
        });
        clear();
        print(
          ...straightnessLines(measured),
          '',
          `  over t   ${shortPath(files.plot)}`,
          ...(files.samples === undefined ? [] : [`  samples  ${shortPath(files.samples)}`]),
          `  numbers  ${shortPath(files.report)}`,
        );
      });
    });
}
