import { Command, Option } from 'commander';
import type { Reflowed } from '../api/reflow/reflow.ts';
import type { StraightnessOptions } from '../api/straightness.ts';
import type { AnySamplerName } from '../flow/samplers.ts';
import { counted } from '../tensor/counted.ts';
import { samplersOf } from '../train/objective.ts';
import { formatInteger } from './format.ts';
import {
  acceptDataOption,
  finiteNumber,
  numberFrom0,
  numbersHelp,
  sendKeysOption,
  setOption,
  timeInterval,
  wholeNumber,
} from './options.ts';
import { findRun, shortPath } from './paths.ts';
import { print } from './print.ts';
import { showRun } from './run-view.ts';
import { straightnessLines } from './straightness-view.ts';
import { runTask } from './task.ts';
import { TimeLeft } from './time-left.ts';

interface Options {
  readonly pairs?: number;
  readonly distill?: number | true;
  readonly name?: string;
  readonly folder?: string;
  readonly steps?: number;
  readonly sampler?: AnySamplerName;
  readonly guidance?: number;
  readonly guidanceInterval?: [low: number, high: number];
  readonly timeShift?: number;
  readonly rtol?: number;
  readonly atol?: number;
  readonly seed?: number;
  readonly told?: 'data' | 'uniform';
  readonly weights?: 'ema' | 'model';
  readonly checkpoint?: number;
  readonly trainSteps?: number;
  readonly set?: readonly string[];
  readonly straightness: number;
  readonly acceptData?: boolean;
  readonly sendKeysTo?: readonly string[];
}

export function reflowCommand(): Command {
  return new Command('reflow')
    .summary('straighten the paths of a run, or distil it, so that few steps make good samples')
    .description(
      'Makes pairs of noise and the sample that the run makes of it, and trains a new run on them, which begins with the weights of ' +
        'that run: on the straight lines between them (reflow), or on single steps (--distill). Stopped at any time, the same ' +
        'command goes on. What comes of it can be given again.',
    )
    .argument('<run>', 'the folder of the run, such as runs/digits')
    .option('-p, --pairs <number>', 'to make (default: 20000)', wholeNumber(1))
    .option(
      '-d, --distill [steps]',
      'learn so many steps of a sampler in place of whole paths (default: 1)',
      wholeNumber(1),
    )
    .option('-n, --name <name>', "of the new run (default: the run's with -reflow or -distilled behind it)")
    .option('--folder <folder>', 'of the pairs, which may be there already (default: pairs/<name>)')
    .option('--steps <number>', "from noise to sample of a pair (default: the run's)", wholeNumber(1))
    .addOption(
      new Option('--sampler <name>', "the integrator of the pairs (default: the run's)").choices(
        samplersOf('rectified-flow'),
      ),
    )
    .option(
      '-g, --guidance <scale>',
      "how strongly labels or captions are followed in the pairs; the new run has learnt that and needs none (default: the run's)",
      finiteNumber,
    )
    .option('--guidance-interval <low,high>', "the times with guidance (default: the run's)", timeInterval)
    .option(
      '--time-shift <number>',
      "above 1: more of the steps are near noise (default: the run's)",
      numberFrom0(true),
    )
    .option(
      '--rtol <number>',
      "dopri5: the error of a step in proportion (default: the run's)",
      numberFrom0(true),
    )
    .option(
      '--atol <number>',
      "dopri5: the error of a step beside that (default: the run's)",
      numberFrom0(true),
    )
    .option('--seed <number>', 'the same seed gives the same pairs (default: 0)', wholeNumber(0))
    .addOption(
      new Option(
        '--told <how>',
        'labels and captions of pairs: as often as the data have them, or each class as often (default: data)',
      ).choices(['data', 'uniform']),
    )
    .addOption(
      new Option(
        '--weights <which>',
        'that make the pairs, and that the new run begins with (default: ema)',
      ).choices(['ema', 'model']),
    )
    .option('--checkpoint <step>', 'the step of a checkpoint (default: the last)', wholeNumber(1))
    .option('--train-steps <number>', 'of the new run, short for --set train.steps=', wholeNumber(1))
    .addOption(setOption('change a setting of the new run'))
    .option('--straightness <paths>', 'to measure with before and after; 0: none', wholeNumber(0), 64)
    .addOption(acceptDataOption())
    .addOption(sendKeysOption())
    .addHelpText(
      'after',
      `
Examples:
  rectiflow reflow runs/digits --pairs 20000 --guidance 2
  rectiflow reflow runs/digits-reflow --pairs 20000 --distill
  rectiflow reflow runs/digits --name quick --pairs 2000 --train-steps 500 --set optimizer.learningRate=3e-4

${numbersHelp}`,
    )
    .action(async (given: string, { trainSteps, distill, set = [], straightness, ...rest }: Options) => {
      const run = findRun(given);
      const { configOf } = await import('../config/load-config.ts');
      const options = {
        ...rest,
        changes: await configOf([...set, ...(trainSteps === undefined ? [] : [`train.steps=${trainSteps}`])]),
        ...(distill !== undefined && { distill: distill === true ? 1 : distill }),
      };
      const { learnPairs } = await import('../api/reflow/learn-pairs.ts');
      const { pairsForReflow } = await import('../api/reflow/reflow.ts');
      let pairs: Reflowed['pairs'] | undefined;
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const left = new TimeLeft();
        pairs = await pairsForReflow(run, {
          ...options,
          signal,
          onNotice,
          onPairs: (done, total) =>
            show(`making pairs: ${formatInteger(done)} of ${formatInteger(total)}${left.of(done, total)}`),
        });
        clear();
      });
      if (pairs === undefined) return;
      const { folder, manifest, made } = pairs;
      const before = manifest.count - made;
      print(
        `pairs    ${shortPath(folder)}, ${counted(manifest.count, 'pair')}${before > 0 ? `, ${formatInteger(before)} of them made before` : ''}`,
      );
      let training: Reflowed['training'] | undefined;
      await showRun(
        async (observer) => (training = await learnPairs(run, pairs!, { ...options, ...observer })),
      );
      if (!training?.finished || straightness === 0) return;
      const student = training.run;
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const { measureStraightness } = await import('../api/straightness.ts');
        const left = new TimeLeft();
        const measure = (
          of: string,
          part: number,
          guidance: number,
          more: Pick<StraightnessOptions, 'checkpoint' | 'weights'>,
        ) =>
          measureStraightness(of, {
            count: straightness,
            guidance,
            ...more,
            signal,
            onNotice,
            onProgress: (done, total) =>
              show(
                `following paths ${Math.floor((50 * done) / total) + 50 * part} %${left.of(part + done / total, 2)}`,
              ),
          });
        const { teacher, sampling } = manifest;
        const measured = [
          await measure(run, 0, sampling.guidance, { checkpoint: teacher.step, weights: teacher.weights }),
          await measure(student, 1, 1, {}),
        ];
        clear();
        print('', ...straightnessLines(measured));
        print(
          `With samples of few evaluations:  npx rectiflow straightness ${shortPath(run)} ${shortPath(student)}`,
        );
      });
    });
}
