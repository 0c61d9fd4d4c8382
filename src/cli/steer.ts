import { join } from 'node:path';
import { Command, Option } from 'commander';
import type { AnySamplerName } from '../flow/samplers.ts';
import {
  type AskedSamples,
  type SteeringEvent,
  type SteeringRequest,
  describeEvent,
} from '../steering/event.ts';
import { counted } from '../tensor/counted.ts';
import { RectiflowError } from '../tensor/errors.ts';
import { samplersOf } from '../train/objective.ts';
import { formatInteger } from './format.ts';
import { collect, finiteNumber, numberFrom0, numbersHelp, wholeNumber } from './options.ts';
import { findRun, shortPath } from './paths.ts';
import { linesOf, print, printError } from './print.ts';
import { runTask } from './task.ts';

interface Options {
  readonly pause?: boolean;
  readonly goOn?: boolean;
  readonly save?: boolean;
  readonly stop?: boolean;
  readonly sample?: boolean;
  readonly count?: number;
  readonly weights?: string;
  readonly learningRate?: number;
  readonly sampleEvery?: number;
  readonly checkpointEvery?: number;
  readonly logEvery?: number;
  readonly labels?: readonly string[];
  readonly prompt?: readonly string[];
  readonly guidance?: number;
  readonly sampler?: AnySamplerName;
  readonly sampleSteps?: number;
  readonly sampleSeed?: number;
  readonly wait: number;
}

export function steerCommand(): Command {
  return new Command('steer')
    .summary('pause, save, stop, change or sample a run while it trains')
    .description(
      'Asks a run that trains, here or on another machine that shares its folder, to do something after the step that is running. What ' +
        'was changed is kept in events.jsonl of the run, and changed again at that step whenever it is resumed or replayed. Without ' +
        'options, shows what was asked so far.',
    )
    .argument('<run>', 'the folder of the run, such as runs/digits')
    .option('--pause', 'wait before the next step')
    .option('--go-on', 'go on after a pause')
    .option('--save', 'save a checkpoint now')
    .option('--stop', 'finish the step, save and end, as by Ctrl-C')
    .option(
      '--sample',
      'make samples with the weights as they are now, in the process that trains; what is told of grids below is of these samples alone',
    )
    .option('-c, --count <number>', 'with --sample: of each label or caption (default: 8)', wholeNumber(1))
    .option(
      '--weights <which>',
      'with --sample: ema, averaged over the last steps; model, as they are; ema:0.999, another average (default: ema)',
    )
    .option('--learning-rate <number>', 'the peak of the schedule from now on', numberFrom0(true))
    .option('--sample-every <steps>', 'make sample grids that often; 0 for never', wholeNumber(0))
    .option('--checkpoint-every <steps>', 'save that often; 0 for at the end alone', wholeNumber(0))
    .option('--log-every <steps>', 'log that often', wholeNumber(1))
    .option(
      '-l, --labels <labels>',
      'the classes in the grids, by name or number, as in cat,dog or 0-9; may be given several times',
      collect,
    )
    .option('-p, --prompt <caption>', 'a caption in the grids; may be given several times', collect)
    .option('-g, --guidance <scale>', 'how strongly grids follow labels or captions', finiteNumber)
    .addOption(new Option('--sampler <name>', 'the integrator of the grids').choices(samplersOf('custom')))
    .option('--sample-steps <number>', 'steps of the grids from noise to image', wholeNumber(1))
    .option('--sample-seed <number>', 'of the noise that grids are made of', wholeNumber(0))
    .option('--wait <seconds>', 'how long to wait for the step that is running', numberFrom0(), 60)
    .addHelpText(
      'after',
      `
Examples:
  rectiflow steer runs/digits --pause
  rectiflow steer runs/digits --go-on
  rectiflow steer runs/digits --learning-rate 1e-4 --sample-every 200
  rectiflow steer runs/digits --sample --labels 3 --count 16 --weights model

${numbersHelp} The exit code is 1 where the run refuses, or no process trains it, else 0.`,
    )
    .action(async (given: string, { wait, ...options }: Options) => {
      const run = findRun(given);
      const requests = requestsOf(options);
      if (requests.length === 0) return showSteering(run);
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const { steerRun } = await import('../api/steer.ts');
        for (const request of requests) {
          if (request.kind === 'sample') show('waiting for the samples');
          const event = await steerRun(run, request, { timeout: wait, signal });
          clear();
          if (event.outcome === 'refused') {
            printError(...linesOf(`refused: ${event.sentence}`));
            process.exitCode = 1;
            return;
          }
          print(...describeAnswer(run, event, onNotice));
        }
      });
    });
}

function describeAnswer(run: string, event: SteeringEvent, onNotice: (text: string) => void): string[] {
  const { step, made, sentence } = event;
  if (made === undefined) return [describeEvent(event)];
  if (sentence !== undefined) onNotice(sentence);
  const path = (inRun: string): string => shortPath(join(run, inRun));
  return [
    `${counted(made.count, 'sample')} of step ${formatInteger(step)} in ${path(made.folder)}`,
    `Look at ${path(made.view)}`,
  ];
}

/** Settings first, so that they hold for what is asked with them. @throws RectiflowError for options that mean nothing without others */
function requestsOf({
  pause,
  goOn,
  save,
  stop,
  sample: asksSamples,
  count,
  weights,
  ...given
}: Omit<Options, 'wait'>): SteeringRequest[] {
  for (const [name, value] of Object.entries({ count, weights }))
    if (value !== undefined && !asksSamples)
      throw new RectiflowError(
        'value',
        `steer: --${name} is of samples that are made now: give --sample with it.`,
      );
  const {
    labels,
    prompt: prompts,
    guidance,
    sampler,
    sampleSteps: steps,
    sampleSeed: seed,
    ...settings
  } = given;
  const sample = defined({ labels, prompts, guidance, sampler, steps, seed });
  const all = { ...settings, ...(sample && !asksSamples && { sample }) };
  const samples = { ...sample, ...defined({ count, weights }) } as AskedSamples;
  return [
    ...(Object.keys(all).length > 0 ? [{ kind: 'set', settings: all } as const] : []),
    ...(asksSamples ? [{ kind: 'sample', samples } as const] : []),
    ...(goOn ? [{ kind: 'goOn' } as const] : []),
    ...(pause ? [{ kind: 'pause' } as const] : []),
    ...(save ? [{ kind: 'save' } as const] : []),
    ...(stop ? [{ kind: 'stop' } as const] : []),
  ];
}

/** What of it is given; undefined where nothing is. */
function defined(given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

async function showSteering(run: string): Promise<void> {
  const { readRun } = await import('../runs/run-folder.ts');
  const { readSteering } = await import('../runs/steering-events.ts');
  await readRun(run);
  const events = await readSteering(run);
  print(...(events.length === 0 ? [`${run} was not steered so far.`] : events.map(describeLine)));
}

function describeLine(event: SteeringEvent): string {
  const what = event.outcome === 'refused' ? `refused: ${event.sentence}` : describeEvent(event);
  return `step ${formatInteger(event.step)}  ${event.time}  ${what}`;
}
