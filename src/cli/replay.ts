import { Command, InvalidArgumentError } from 'commander';
import { formatInteger } from './format.ts';
import { acceptDataOption } from './options.ts';
import { findRun } from './paths.ts';
import { print } from './print.ts';
import { runTask } from './task.ts';

interface Options {
  readonly steps: [number, number];
  readonly acceptData?: boolean;
}

export function replayCommand(): Command {
  return new Command('replay')
    .summary('do steps of a run again and compare their losses')
    .description(
      'Does steps of a run again, from the last checkpoint before them, and compares each loss that the run logged to the bit. ' +
        'The folder of the run is only read. The exit code is 1 where one differs, else 0.',
    )
    .argument('<run>', 'the folder of the run, such as runs/digits')
    .requiredOption('--steps <first..last>', 'the steps to compare, as in 1001..1100', stepRange)
    .addOption(acceptDataOption())
    .addHelpText('after', '\nExample:\n  rectiflow replay runs/digits --steps 1001..1100')
    .action(async (given: string, { steps: [first, last], acceptData }: Options) => {
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const { replay } = await import('../api/replay.ts');
        const { steps } = await replay(findRun(given), first, last, {
          signal,
          acceptData,
          onNotice,
          onProgress: (step, end) => show(`step ${formatInteger(step)} of ${formatInteger(end)}`),
          onCompared: ({ step, logged, replayed, isEqual }) => {
            clear();
            print(`step ${formatInteger(step)}  loss ${logged}${isEqual ? '' : `, and now ${replayed}`}`);
          },
        });
        clear();
        const different = steps.filter(({ isEqual }) => !isEqual);
        const equal = steps.length - different.length;
        print(`${formatInteger(equal)} of ${formatInteger(steps.length)} logged losses are equal to the bit`);
        const [earliest] = different;
        if (earliest === undefined) return;
        const { step, logged, replayed } = earliest;
        print(`The first that differs: step ${formatInteger(step)}, logged ${logged}, now ${replayed}`);
        process.exitCode = 1;
      });
    });
}

/** `1001..1100`, or one step. */
function stepRange(text: string): [first: number, last: number] {
  const [, first, last = first] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  const range: [number, number] = [Number(first), Number(last)];
  if (range[0] >= 1 && range[0] <= range[1] && Number.isSafeInteger(range[1])) return range;
  throw new InvalidArgumentError('It must be two steps from 1, the lower one first, as in 1001..1100.');
}
