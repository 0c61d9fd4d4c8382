import { Command } from 'commander';
import type { StepsComparison } from '../report/compare-steps.ts';
import { counted } from '../tensor/counted.ts';
import { formatTable, formatValue } from './format.ts';
import { finiteNumber, wholeNumber, wholeNumbers } from './options.ts';
import { findRun, shortPath } from './paths.ts';
import { print } from './print.ts';
import { runTask } from './task.ts';
import { TimeLeft } from './time-left.ts';

interface Options {
  readonly evaluations?: number[];
  readonly count: number;
  readonly guidance?: number;
  readonly seed: number;
  readonly out?: string;
}

export function compareStepsCommand(): Command {
  return new Command('steps')
    .summary('compare what runs make of few evaluations: before reflow, after it, after distillation')
    .description(
      'Makes samples of each run with few evaluations of the model and measures how far they are from the data of the first run.',
    )
    .argument('<runs...>', 'the folders of runs, the one that was trained on data first')
    .option('-e, --evaluations <numbers>', 'of the model, per sample (default: 1,2,4)', wholeNumbers)
    .option('-c, --count <number>', 'samples to measure distances with', wholeNumber(2), 500)
    .option('-g, --guidance <scale>', "of all runs (default: each run's own)", finiteNumber)
    .option('--seed <number>', 'the same seed gives the same samples', wholeNumber(0), 0)
    .option('-o, --out <folder>', 'where to write (default: few-steps in the folder of the first run)')
    .addHelpText(
      'after',
      `
Example:
  rectiflow compare steps runs/digits runs/digits-reflow runs/digits-reflow-distilled`,
    )
    .action(async (given: string[], options: Options) => {
      const runs = given.map(findRun);
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const { compareSteps } = await import('../report/compare-steps.ts');
        const left = new TimeLeft();
        const compared = await compareSteps(runs, {
          ...options,
          signal,
          onNotice,
          onProgress: (done, total) =>
            show(`sampling ${Math.floor((100 * done) / total)} %${left.of(done, total)}`),
        });
        clear();
        print(...stepsLines(compared));
      });
    });
}

/** A line for each run, with a distance for each number of evaluations. */
export function stepsLines({ rows, dataDistance, count, files }: StepsComparison): string[] {
  const runs = [...new Set(rows.map(({ run }) => run))];
  const evaluations = [...new Set(rows.map((row) => row.evaluations))];
  const distances = runs.map((run) => [
    shortPath(run),
    ...rows.filter((row) => row.run === run).map(({ distance }) => formatValue(distance)),
  ]);
  return [
    `Energy distance of ${counted(count, 'sample')} to the data, by evaluations per sample: lower is nearer.`,
    ...formatTable([['', ...evaluations.map(String)], ...distances]),
    `As many samples of the data are ${formatValue(dataDistance)} from others.`,
    '',
    ...(files.samples === undefined ? [] : [`  samples    ${shortPath(files.samples)}`]),
    `  distances  ${shortPath(files.plot)}`,
    `  numbers    ${shortPath(files.report)}`,
  ];
}
