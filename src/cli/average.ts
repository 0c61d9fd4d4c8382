import { Command } from 'commander';
import { formatInteger } from './format.ts';
import { numberFrom0, wholeNumber } from './options.ts';
import { findRun, shellWord, shortPath } from './paths.ts';
import { print } from './print.ts';
import { runTask } from './task.ts';

interface Options {
  readonly length: number;
  readonly out?: string;
  readonly checkpoint?: number;
}

export function averageCommand(): Command {
  return new Command('average')
    .summary('make an average of the weights of another length')
    .description(
      'Makes a power-function average of any length out of those that a run has stored (ema.power and ema.snapshotEvery), ' +
        'without training again: a .safetensors file with the names of a checkpoint.',
    )
    .argument('<run>', 'the folder of the run, such as runs/digits')
    .requiredOption(
      '-l, --length <share>',
      'how far the average reaches back, as a share of the training so far, as in 0.08',
      numberFrom0(true),
    )
    .option('-o, --out <file>', "a new file to write to (default: in the run's folder averages)")
    .option('--checkpoint <step>', 'the step of a checkpoint (default: the last)', wholeNumber(1))
    .addHelpText(
      'after',
      `
Examples:
  rectiflow average runs/digits --length 0.08
  rectiflow average runs/digits --length 0.15 --checkpoint 2000 --out averaged.safetensors`,
    )
    .action(async (given: string, { out, ...options }: Options) => {
      await runTask(async ({ onNotice }) => {
        const { averageRun } = await import('../api/average.ts');
        const { path, step, error } = await averageRun(findRun(given), { ...options, to: out, onNotice });
        print(
          `The average of length ${options.length} at step ${formatInteger(step)}, its profile met within ${(100 * error).toFixed(2)} %`,
        );
        print(`Written: ${shortPath(path)}`);
        const at = options.checkpoint === undefined ? '' : ` --checkpoint ${options.checkpoint}`;
        const run = shellWord(shortPath(findRun(given)));
        print(`Make samples:  npx rectiflow sample ${run} --ema-length ${options.length}${at}`);
      });
    });
}
