import { Command } from 'commander';
import type { CompareObjectivesOptions, ObjectiveComparison } from '../report/compare-objectives.ts';
import { formatInteger, formatTable, formatValue } from './format.ts';
import { acceptDataOption, setOption, wholeNumber } from './options.ts';
import { shortPath } from './paths.ts';
import { print } from './print.ts';
import { Progress } from './progress.ts';
import { type Task, runTask } from './task.ts';
import { counted } from '../tensor/counted.ts';

interface Options {
  readonly set?: readonly string[];
  readonly name?: string;
  readonly steps?: number;
  readonly count: number;
  readonly acceptData?: boolean;
}

export function compareDdpmCommand(): Command {
  return new Command('ddpm')
    .summary('compare rectified flow with DDPM on the same data')
    .description(
      'Trains the model of a recipe or a config file twice, with rectified flow and with DDPM, from the same weights, on the ' +
        'same batches, for as many steps. Then makes samples of both with 5, 10, 25 and 50 evaluations of the model and measures ' +
        'how far they are from the data. Given again, it goes on with what is there.',
    )
    .argument('<recipe-or-file>', 'the name of a recipe, or the path of a .yaml or .json file')
    .addOption(setOption('change a setting of both'))
    .option('-n, --name <name>', "what the names of the folders begin with; the recipe's by default")
    .option('--steps <number>', 'how many steps to train, short for --set train.steps=', wholeNumber(1))
    .option('-c, --count <number>', 'samples to measure distances with', wholeNumber(2), 200)
    .addOption(acceptDataOption())
    .addHelpText(
      'after',
      `
Examples:
  rectiflow compare ddpm digits --steps 300
  rectiflow compare ddpm my-config.yaml --set flow.objective.kind=ddpm --set flow.objective.schedule=cosine`,
    )
    .action(async (target: string, { set = [], name, steps, count, acceptData }: Options) => {
      const overrides = [
        ...set,
        ...(name === undefined ? [] : [`name=${JSON.stringify(name)}`]),
        ...(steps === undefined ? [] : [`train.steps=${steps}`]),
      ];
      const { loadConfig } = await import('../config/load-config.ts');
      const { compareObjectives } = await import('../report/compare-objectives.ts');
      const { config, origin } = await loadConfig(target, overrides);
      await runTask(async (task) => {
        const compared = await showTrainings(task, (observer) =>
          compareObjectives(config, { ...observer, origin, count, acceptData, signal: task.signal }),
        );
        task.clear();
        print('', ...comparisonLines(compared));
      });
    });
}

type Observer = Pick<CompareObjectivesOptions, 'onStart' | 'onStep' | 'onNotice' | 'onProgress'>;

/** Shows each of the trainings, then how far sampling is. */
async function showTrainings<T>(
  { signal, show, clear }: Task,
  work: (observer: Observer) => Promise<T>,
): Promise<T> {
  let progress: Progress | undefined;
  const say = (text: string): void => {
    clear();
    if (progress) progress.say(text);
    else print(text);
  };
  signal.addEventListener('abort', () => say('Stopping. Press Ctrl-C again to leave at once.'));
  try {
    return await work({
      onNotice: (text) => say(`note: ${text}`),
      onStart({ run, step, steps }) {
        progress?.end();
        progress = undefined;
        const from =
          step === steps ? ', trained before' : step > 0 ? `, from step ${formatInteger(step)}` : '';
        say(`run      ${shortPath(run)}${from}`);
        progress = new Progress({ output: process.stdout, steps });
      },
      onStep: (metrics) => progress?.update(metrics),
      onProgress(done, total) {
        progress?.end();
        progress = undefined;
        show(`sampling ${Math.floor((100 * done) / total)} %`);
      },
    });
  } catch (error) {
    progress?.end();
    progress = undefined;
    if (signal.aborted) say('Stopped. The same command goes on from here.');
    throw error;
  } finally {
    progress?.end();
  }
}

/** A line for each number of evaluations: the distances of both objectives to the data. */
export function comparisonLines(compared: Omit<ObjectiveComparison, 'config'>): string[] {
  const { objectives, rows, dataDistance, count, files } = compared;
  const evaluations = [...new Set(rows.map((row) => row.evaluations))];
  const distances = evaluations.map((asked) => [
    String(asked),
    ...rows.filter((row) => row.evaluations === asked).map(({ distance }) => formatValue(distance)),
  ]);
  return [
    `Energy distance of ${counted(count, 'sample')} to the data, without guidance: lower is nearer.`,
    ...formatTable([['evaluations', ...objectives.map(({ objective }) => objective)], ...distances]),
    `As many samples of the data are ${formatValue(dataDistance)} from others.`,
    '',
    ...(files.samples === undefined ? [] : [`  samples    ${shortPath(files.samples)}`]),
    `  distances  ${shortPath(files.distances)}`,
    `  losses     ${shortPath(files.losses)} (compare shapes: the two are errors of different things)`,
    `  report     ${shortPath(files.report)}`,
    ...objectives.map(({ run }) => `  run        ${shortPath(run)}`),
  ];
}
