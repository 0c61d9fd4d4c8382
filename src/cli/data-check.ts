import type { Command } from 'commander';
import { counted } from '../tensor/counted.ts';
import { printableJson } from '../tensor/printable.ts';
import { dataCommandOf } from './data-command.ts';
import { reportLines } from './data-report-view.ts';
import { formatInteger } from './format.ts';
import { linesOf, writeLines } from './print.ts';
import { runTask } from './task.ts';

interface Options {
  readonly set?: readonly string[];
  readonly json?: boolean;
}

export function dataCheckCommand(): Command {
  return dataCommandOf('check')
    .summary('say what data there are and what is wrong with them')
    .description(
      'Reads every sample once: what there is, which cannot be read, which are copies, and what to change. ' +
        'The exit code is 1 where a training would end with an error or learn nothing, else 0, as with doctor.',
    )
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
Examples:
  rectiflow data check my-config.yaml
  rectiflow data check photos/ --set data.size=32
  rectiflow data check emoji --set data.condition=class
  rectiflow data check my-config.yaml --json | jq .unreadable`,
    )
    .action(async (target: string, { set, json = false }: Options) => {
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const { loadConfig } = await import('../config/load-config.ts');
        const { dataOfRecord } = await import('../known/known-data.ts');
        const { checkData } = await import('../api/data.ts');
        const { parsed } = await loadConfig(target, set, onNotice);
        const report = await checkData(parsed, {
          known: await dataOfRecord(target),
          signal,
          onNotice,
          onProgress: (done, total) => show(`reading ${formatInteger(done)} of ${counted(total, 'sample')}`),
        });
        clear();
        writeLines(process.stdout, json ? linesOf(printableJson(report, undefined, 2)) : reportLines(report));
        if (report.findings.some(({ status }) => status === 'fail')) process.exitCode = 1;
      });
    });
}
