import { writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { counted } from '../tensor/counted.ts';
import { fileError, systemProblem } from '../tensor/errors.ts';
import { formatInteger } from './format.ts';
import { findRun, shellWord, shortPath } from './paths.ts';
import { print } from './print.ts';
import { runTask } from './task.ts';

export function reproCommand(): Command {
  return new Command('repro')
    .summary('write down what is needed to train a run anew')
    .description(
      'Writes one JSON file: config, seed, versions, machine, and digests of the data and of each checkpoint. It can be trained ' +
        'as it is. It holds no secrets, and no paths but those of the config.',
    )
    .argument('<run>', 'the folder of the run, such as runs/digits')
    .option(
      '-o, --out <file>',
      'the file to write (default: <run>.repro.json), which must not be there yet',
      jsonFile,
    )
    .addHelpText(
      'after',
      `
Examples:
  rectiflow repro runs/digits
  rectiflow train digits.repro.json`,
    )
    .action(async (given: string, { out }: { out?: string }) => {
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const { recordReproduction } = await import('../api/repro.ts');
        const record = await recordReproduction(findRun(given), {
          signal,
          onNotice,
          onProgress: (done, total) =>
            show(`digesting ${formatInteger(done)} of ${counted(total, 'sample')}`),
        });
        clear();
        const file = out ?? `${record.run}.repro.json`;
        await writeFile(file, `${JSON.stringify(record, null, 2)}\n`, { flag: 'wx' }).catch((error) => {
          const isTaken = (error as NodeJS.ErrnoException).code === 'EEXIST';
          const problem = isTaken ? 'is there already' : systemProblem(error);
          throw fileError(file, problem, 'Choose another file, with --out', error);
        });
        const { data, absolutePaths } = record;
        if (absolutePaths.length > 0)
          onNotice(`the config has absolute paths, which the file has too: ${absolutePaths.join(', ')}`);
        if (data && data.digested < data.count) {
          const share = `${formatInteger(data.digested)} of ${counted(data.count, 'sample')}`;
          print(`The digest of the data is of ${share}, spread evenly.`);
        }
        print(`Written: ${shortPath(file)}`);
        print(`Train it anew:  npx rectiflow train ${shellWord(shortPath(file))}`);
      });
    });
}

/** By its end `train` tells a file from a recipe. */
function jsonFile(text: string): string {
  if (text.endsWith('.json')) return text;
  throw new InvalidArgumentError('It must end with .json.');
}
