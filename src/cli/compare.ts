import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import type { ExpressionComparison } from '../api/compare.ts';
import { compareDdpmCommand } from './compare-ddpm.ts';
import { formatInteger, padShown, shownWidth } from './format.ts';
import { finiteNumber, wholeNumber } from './options.ts';
import { findRun, shortPath } from './paths.ts';
import { print } from './print.ts';
import { runTask } from './task.ts';

interface Options {
  readonly count: number;
  readonly steps?: number;
  readonly guidance?: number;
  readonly seed: number;
  readonly checkpoint?: number;
  readonly plot?: string;
}

export function compareCommand(): Command {
  return new Command('compare')
    .summary('compare generated cells with real ones; compare ddpm: rectified flow with DDPM, on any data')
    .description(
      'Gene expression: makes cells of each class and compares their mean expression and their share of zeros with those of ' +
        'the cells that data.holdOut kept out of training. The cells trained on are compared too: that is how near real cells come.',
    )
    .usage('[options] <run>\n       rectiflow compare ddpm [options] <recipe-or-file>')
    .addCommand(compareDdpmCommand())
    .argument('<run>', 'the folder of the run, such as runs/pbmc')
    .option('-c, --count <number>', 'cells to make of each class', wholeNumber(1), 100)
    .option('--steps <number>', "steps from noise to cell (default: the run's)", wholeNumber(1))
    .option('-g, --guidance <scale>', "how strongly classes are followed (default: the run's)", finiteNumber)
    .option('--seed <number>', 'the same seed gives the same cells', wholeNumber(0), 0)
    .option('--checkpoint <step>', 'the step of a checkpoint (default: the last)', wholeNumber(1))
    .option('--plot <file>', 'where to draw them (default: cells.svg in the folder of the run)')
    .action(async (given: string, { plot, ...options }: Options) => {
      const run = findRun(given);
      await runTask(async ({ signal }) => {
        const { compareRun } = await import('../api/compare.ts');
        const comparison = await compareRun(run, { ...options, signal });
        const file = plot ?? join(run, 'cells.svg');
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, comparison.plot);
        print(...comparisonLines(comparison), `Look at ${shortPath(file)}`);
      });
    });
}

/** A line for each class: correlations with the cells held out, and shares of zeros in per cent. */
export function comparisonLines({ classes, step }: ExpressionComparison): string[] {
  const width = classes.reduce((longest, { name }) => Math.max(longest, shownWidth(name)), 5);
  const line = (name: string, columns: readonly string[]): string =>
    padShown(name, width) + columns.map((column) => column.padStart(13)).join('');
  return [
    `step ${formatInteger(step)}`,
    line('', ['cells', 'cells', 'correlation', '', '% zeros', '', '']),
    line('class', [
      'held out',
      'trained on',
      'generated',
      'trained on',
      'held out',
      'generated',
      'trained on',
    ]),
    ...classes.map(({ name, heldOut, trained, generated }) =>
      line(name, [
        formatInteger(heldOut.cells),
        formatInteger(trained.cells),
        generated.correlation.toFixed(3),
        trained.correlation.toFixed(3),
        (100 * heldOut.zeros).toFixed(1),
        (100 * generated.zeros).toFixed(1),
        (100 * trained.zeros).toFixed(1),
      ]),
    ),
  ];
}
