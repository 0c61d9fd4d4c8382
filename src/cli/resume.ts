import { Command } from 'commander';
import type { RunOptions } from '../api/parts.ts';
import { exitCodesHelp } from './interrupt.ts';
import { acceptDataOption, sendKeysOption } from './options.ts';
import { findRun } from './paths.ts';
import { showRun } from './run-view.ts';

export function resumeCommand(): Command {
  return new Command('resume')
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
    .action(async (run: string, given: Pick<RunOptions, 'acceptData' | 'sendKeysTo'>) => {
      const { resume } = await import('../api/train.ts');
      await showRun((options) => resume(findRun(run), { ...options, ...given }));
    });
}
