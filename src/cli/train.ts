import { Command } from 'commander';
import { recipes } from '../recipes/index.ts';
import { exitCodesHelp } from './interrupt.ts';
import {
  type ComputeOptions,
  acceptDataOption,
  backendOption,
  computeSettings,
  numberFrom0,
  numbersHelp,
  precisionOption,
  sendKeysOption,
  setOption,
  wholeNumber,
} from './options.ts';
import { type RanksOptions, addRanksOptions, startedRanks } from './ranks-options.ts';
import { withRanks } from './ranks.ts';
import { showRun } from './run-view.ts';

interface Options extends RanksOptions, ComputeOptions {
  readonly set?: readonly string[];
  readonly name?: string;
  readonly steps?: number;
  readonly epochs?: number;
  readonly effectiveBatch?: number;
  readonly threads?: number;
  readonly acceptData?: boolean;
  readonly sendKeysTo?: readonly string[];
}

export function trainCommand(): Command {
  const list = Object.entries(recipes).map(
    ([name, { description }]) => `  ${name.padEnd(17)}  ${description}`,
  );
  return addRanksOptions(new Command('train'))
    .summary('train a model by a recipe or a config file')
    .description(
      'Trains a model, from a recipe or a config file. Everything it makes goes into a new folder below runs/.',
    )
    .argument('<recipe-or-file>', 'the name of a recipe, or the path of a .yaml or .json file')
    .addOption(setOption())
    .option('-n, --name <name>', "the name of the run's folder; the recipe's by default")
    .option('--steps <number>', 'how many steps to train, short for --set train.steps=', wholeNumber(1))
    .option(
      '--epochs <number>',
      'how often to see each sample, short for --set train.epochs=',
      numberFrom0(true),
    )
    .option(
      '--effective-batch <number>',
      'samples of a step, computed as many at a time as fit into the memory: short for --set train.batchSize= and --set train.microBatch=auto',
      wholeNumber(1),
    )
    .addOption(backendOption())
    .addOption(precisionOption())
    .option('--threads <number>', 'threads to compute with, short for --set backend.threads=', wholeNumber(1))
    .addOption(acceptDataOption())
    .addOption(sendKeysOption())
    .addHelpText(
      'after',
      `
Recipes:
${list.join('\n')}

Examples:
  rectiflow train digits
  rectiflow train digits --steps 500 --name quick
  rectiflow train digits --set optimizer.learningRate=1e-3 --set model.depth=8
  rectiflow train my-config.yaml --effective-batch 256

Ctrl-C finishes the step, saves, and says how to go on; pressed again, it leaves at once and saves nothing more. SIGTERM,
SIGHUP and SIGUSR1 are like the first Ctrl-C. ${numbersHelp} The settings of a run are in runs/<name>/config.json.

${exitCodesHelp}`,
    )
    .action(
      async (
        target: string,
        {
          set = [],
          name,
          steps,
          epochs,
          effectiveBatch,
          backend,
          precision,
          threads,
          acceptData,
          sendKeysTo,
          ...ranks
        }: Options,
      ) => {
        if (await startedRanks(ranks, { acceptData, sendKeysTo })) return;
        const overrides = [
          ...set,
          ...computeSettings({ backend, precision }),
          ...(name === undefined ? [] : [`name=${JSON.stringify(name)}`]),
          ...(steps === undefined ? [] : [`train.steps=${steps}`]),
          ...(epochs === undefined ? [] : [`train.epochs=${epochs}`]),
          ...(effectiveBatch === undefined
            ? []
            : [`train.batchSize=${effectiveBatch}`, 'train.microBatch=auto']),
          ...(threads === undefined ? [] : [`backend.threads=${threads}`]),
        ];
        const { loadConfig } = await import('../config/load-config.ts');
        const { dataOfReproduction } = await import('../known/known-data.ts');
        const { steeringOfReproduction } = await import('../known/known-steering.ts');
        const { train } = await import('../api/train.ts');
        await withRanks(async (communicator) => {
          const { parsed } = await loadConfig(target, overrides);
          const known = await dataOfReproduction(target);
          const steering = await steeringOfReproduction(target);
          await showRun(
            (options) => train(parsed, { ...options, known, steering, acceptData, sendKeysTo }),
            communicator,
          );
        });
      },
    );
}
