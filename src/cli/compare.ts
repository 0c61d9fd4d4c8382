import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { compareDdpmCommand } from './compare-ddpm.ts';
import { compareStepsCommand } from './compare-steps.ts';
import { comparisonLines } from './comparison-view.ts';
import { acceptDataOption, finiteNumber, wholeNumber } from './options.ts';
import { findRun, shortPath } from './paths.ts';
import { print } from './print.ts';
import { runTask } from './task.ts';

interface Options {
  readonly count?: number;
  readonly steps?: number;
  readonly guidance?: number;
  readonly seed: number;
  readonly checkpoint?: number;
  readonly acceptData?: boolean;
  readonly plot?: string;
  readonly json?: string;
}

export function compareCommand(): Command {
  return new Command('compare')
    .summary(
      'compare generated cells with real ones; compare ddpm: rectified flow with DDPM; compare steps: runs by few evaluations',
    )
    .description(
      'Gene expression: makes cells of each class and compares them with those that data.holdOut kept out of training: their means, ' +
        'variances and correlations, and whether anything tells them apart. Beside them: the cells trained on (how near real cells ' +
        'come), cells from a Gaussian of each class (what needs no network), and real cells shuffled within classes.',
    )
    .usage(
      '[options] <run>\n       rectiflow compare ddpm [options] <recipe-or-file>\n       rectiflow compare steps [options] <runs...>',
    )
    .addCommand(compareDdpmCommand())
    .addCommand(compareStepsCommand())
    .argument('<run>', 'the folder of the run, such as runs/pbmc')
    .option(
      '-c, --count <number>',
      'cells to make of each class (default: as many as are held out)',
      wholeNumber(2),
    )
    .option('--steps <number>', "steps from noise to cell (default: the run's)", wholeNumber(1))
    .option('-g, --guidance <scale>', "how strongly classes are followed (default: the run's)", finiteNumber)
    .option('--seed <number>', 'the same seed gives the same cells', wholeNumber(0), 0)
    .option('--checkpoint <step>', 'the step of a checkpoint (default: the last)', wholeNumber(1))
    .addOption(acceptDataOption())
    .option('--plot <file>', 'where to draw them (default: cells.svg in the folder of the run)')
    .option('--json <file>', 'where to write all figures (default: nowhere)')
    .action(async (given: string, { plot, json, ...options }: Options) => {
      const run = findRun(given);
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const { compareRun } = await import('../report/compare.ts');
        const comparison = await compareRun(run, {
          ...options,
          signal,
          onNotice,
          onProgress: (what, done, total) => show(`${what} ${Math.floor((100 * done) / total)} %`),
        });
        clear();
        const file = plot ?? join(run, 'cells.svg');
        await mkdir(dirname(file), { recursive: true });
        const { plot: picture, ...figures } = comparison;
        await writeFile(file, picture);
        if (json !== undefined) {
          await mkdir(dirname(json), { recursive: true });
          await writeFile(json, `${JSON.stringify(figures, null, 2)}\n`);
        }
        print(...comparisonLines(comparison), `Look at ${shortPath(file)}`);
      });
    });
}
