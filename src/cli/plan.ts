import { Command } from 'commander';
import { formatInteger } from './format.ts';
import {
  type ComputeOptions,
  backendOption,
  computeSettings,
  finiteNumber,
  numberFrom0,
  numbersHelp,
  precisionOption,
  setOption,
  wholeNumber,
  wholeNumbers,
} from './options.ts';
import { shellWord } from './paths.ts';
import { print } from './print.ts';
import { runTask } from './task.ts';

interface Options extends ComputeOptions {
  readonly set?: readonly string[];
  readonly machine?: string;
  readonly utilisation?: number;
  readonly seconds?: number;
  readonly ranks?: readonly number[];
  readonly ranksPerHost?: number;
  readonly link?: string;
  /** In microseconds. */
  readonly latency?: number;
  readonly json?: boolean;
}

export function planCommand(): Command {
  return new Command('plan')
    .summary('say what a training will take, before it')
    .description(
      'Says what a training will take: time, memory, disk and operations, here and on other machines, and with other sizes, batches ' +
        'and numbers of machines. A few steps are timed for that. No run is made.',
    )
    .argument('<recipe-or-file>', 'the name of a recipe, or the path of a .yaml or .json file')
    .addOption(setOption())
    .addOption(backendOption())
    .addOption(precisionOption())
    .option('--machine <name>', 'what the tables of sizes and ranks are for: this, RTX-4090, H100, ...')
    .option(
      '--utilisation <share>',
      'of their peak, that other machines are taken to reach (0.4)',
      finiteNumber,
    )
    .option('--seconds <number>', 'how long steps are timed here (15); 0 for not at all', numberFrom0())
    .option('--ranks <numbers>', 'also plan the run on so many ranks each, as in 1,2,4,64', wholeNumbers)
    .option('--ranks-per-host <number>', 'how many of them share a machine (1)', wholeNumber(1))
    .option(
      '--link <rate>',
      'what joins machines of ranks: 1Gbit, 25Gbit, ...; by default that of the machine',
    )
    .option(
      '--latency <microseconds>',
      'from one of them to another (50 where --link is given)',
      numberFrom0(),
    )
    .option('--json', 'print all of it as JSON')
    .addHelpText(
      'after',
      `
Examples:
  rectiflow plan digits
  rectiflow plan my-config.yaml --set train.batchSize=256 --set train.memory=recompute
  rectiflow plan imagenet --machine H100
  rectiflow plan my-config.yaml --ranks 1,2,4,8,64 --link 1Gbit

${numbersHelp} Ctrl-C ends it; nothing has been made then.`,
    )
    .action(async (target: string, { json = false, latency, ...given }: Options) => {
      const { set: asked = [], backend, precision, ...options } = given;
      const set = [...asked, ...computeSettings({ backend, precision })];
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const { loadConfig } = await import('../config/load-config.ts');
        const { plan } = await import('../api/plan/plan.ts');
        const { describePlan } = await import('./plan-view.ts');
        const { parsed, absent } = await loadConfig(target, set, undefined, true);
        const planned = await plan(parsed, {
          ...options,
          latency: latency === undefined ? undefined : latency / 1e6,
          absent,
          signal,
          onNotice,
          onProgress: (what, done, total) =>
            show(total > 1 ? `${what}: ${formatInteger(done)} of ${formatInteger(total)}` : `${what} ...`),
        });
        clear();
        if (json) {
          print(...JSON.stringify(planned, null, 2).split('\n'));
          return;
        }
        const args = [target, ...set.flatMap((setting) => ['--set', setting])].map(shellWord).join(' ');
        const next = absent ? 'Train it, with the path of your folder:' : 'Train it:';
        const data = absent ? ' --set data.path=FOLDER' : '';
        print(...describePlan(planned), `${next}  npx rectiflow train ${args}${data}`);
      });
    });
}
