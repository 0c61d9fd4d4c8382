import { Command } from 'commander';
import type { RunOptions } from '../api/parts.ts';
import { exitCodesHelp } from './interrupt.ts';
import { acceptDataOption, sendKeysOption } from './options.ts';
import { findRun } from './paths.ts';
import { type RanksOptions, addRanksOptions, startedRanks } from './ranks-options.ts';
import { withRanks } from './ranks.ts';
import { showRun } from './run-view.ts';

interface Options extends Pick<RunOptions, 'acceptData' | 'sendKeysTo'>, RanksOptions {}

export function resumeCommand(): Command {
  return addRanksOptions(new Command('resume'))
    .summary('go on with a run that was stopped')
    .description(
      'Goes on with a run where its last checkpoint left it, with the same numbers as if it had not stopped.',
    )
    .argument('<run>', 'the folder of the run, such as runs/digits')
    .addOption(acceptDataOption())
    .addOption(sendKeysOption())
    .addHelpText(
      'after',
      `
A run that a killed process of another machine or container held is free two minutes after that gave its last sign of life: until
then this waits, and says so.

${exitCodesHelp}`,
    )
    .action(async (run: string, { acceptData, sendKeysTo, ...ranks }: Options) => {
      const given = { acceptData, sendKeysTo };
      if (await startedRanks(ranks, given)) return;
      const { resume } = await import('../api/train.ts');
      await withRanks((communicator) =>
        showRun((options) => resume(findRun(run), { ...options, ...given }), communicator),
      );
    });
}
