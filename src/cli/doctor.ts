import { Command } from 'commander';
import type { Check } from '../api/doctor/check.ts';
import { formatInteger } from './format.ts';
import {
  type ComputeOptions,
  backendOption,
  computeSettings,
  precisionOption,
  setOption,
} from './options.ts';
import { shellWord } from './paths.ts';
import { print } from './print.ts';
import { runTask } from './task.ts';
import { counted } from '../tensor/counted.ts';

interface Options extends ComputeOptions {
  readonly set?: readonly string[];
}

const marks: Readonly<Record<Check['status'], string>> = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' };

export function doctorCommand(): Command {
  return new Command('doctor')
    .summary('check machine, data and settings before training')
    .description(
      'Checks the machine, the data and the settings of a training, and trains on a single batch for up to a minute. ' +
        'Nothing is written. The exit code is 1 where a check fails, else 0.',
    )
    .argument('<recipe-or-file>', 'the name of a recipe, or the path of a .yaml or .json file')
    .addOption(setOption())
    .addOption(backendOption())
    .addOption(precisionOption())
    .addHelpText(
      'after',
      `
Examples:
  rectiflow doctor digits
  rectiflow doctor my-config.yaml --set train.batchSize=64`,
    )
    .action(async (target: string, { set: asked = [], ...compute }: Options) => {
      const set = [...asked, ...computeSettings(compute)];
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const { loadConfig } = await import('../config/load-config.ts');
        const { dataOfRecord } = await import('../known/known-data.ts');
        const { diagnose } = await import('../api/doctor/diagnose.ts');
        const { parsed, absent } = await loadConfig(target, set, undefined, true);
        const checks = await diagnose(parsed, {
          known: await dataOfRecord(target),
          absent,
          signal,
          onNotice,
          onProgress: (what, done, total) =>
            show(`${what}: ${formatInteger(done)} of ${formatInteger(total)}`),
          onCheck: ({ name, status, text }) => {
            clear();
            print(`${marks[status]}  ${name.padEnd(13)}  ${text}`);
          },
        });
        clear();
        const failed = checks.filter(({ status }) => status === 'fail').length;
        if (failed > 0) {
          process.exitCode = 1;
          print('', `${counted(failed, 'check')} failed: training would get nowhere.`);
          return;
        }
        const args = [target, ...set.flatMap((setting) => ['--set', setting])];
        print('', `No check failed. Train it:  npx rectiflow train ${args.map(shellWord).join(' ')}`);
      });
    });
}
