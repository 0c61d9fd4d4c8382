// What `train` and `resume` show.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Communicator } from '../train/ranks/communicator.ts';
import type { TrainObserver, TrainResult, TrainStart } from '../train/metrics.ts';
import { averagesFolder } from '../runs/averages-file.ts';
import { formatBytes, formatCount, formatDuration, formatInteger, formatValue } from './format.ts';
import type { TrainingPlan } from '../train/plan-training.ts';
import { describeDevice, listParts } from './memory-view.ts';
import { type Interrupt, askedToStop, interruptible, tidyMs } from './interrupt.ts';
import { encodeWith } from './next-command.ts';
import { describeOutcome } from './metrics-view.ts';
import { shellWord, shortPath } from './paths.ts';
import { print } from './print.ts';
import { Progress } from './progress.ts';
import {
  endWithLauncher,
  isFromMpirun,
  progressOutput,
  resumeCommand,
  tellExitCode,
  tellRun,
} from './rank.ts';
import { counted } from '../tensor/counted.ts';

/**
 * Runs a training with progress, files and the next command shown on standard output.
 * @param start gets an observer and a signal that Ctrl-C triggers
 * @param communicator of a rank: rank 0 shows what all do, the others nothing
 */
export async function showRun(
  start: (options: StartOptions) => Promise<TrainResult>,
  communicator?: Communicator,
): Promise<void> {
  if (communicator?.rank) return silently(start, communicator);
  let progress: Progress | undefined;
  const say = (text: string): void => {
    if (progress) progress.say(text);
    else print(text);
  };
  let folder: string | undefined;
  const interrupt = interruptible(
    (signal) => {
      if (isFromMpirun(signal)) return;
      const now = folder === undefined ? 'Stopping' : 'Finishing the step and saving';
      say(`${now}. Press Ctrl-C again to leave at once.`);
    },
    () => {
      const run = folder && shellWord(shortPath(folder));
      if (run) say(`Left at once. Go on from the last checkpoint with:  ${resumeCommand(run)}`);
    },
    // Before the first step there is nothing to save.
    () => (folder === undefined ? tidyMs : Infinity),
  );
  endWithLauncher();
  try {
    const result = await start({
      signal: interrupt.signal,
      communicator,
      onNotice: (text) => say(`note: ${text}`),
      onPlan: (plan) => say(`memory   ${describePlan(plan)}`),
      onStart: ({ run, step, steps, stage, until, later, ...begun }) => {
        const { parameters, backend, data, samples, sizes, told } = begun;
        const isFirst = folder === undefined;
        progress?.end();
        progress = undefined;
        folder = run;
        if (isFirst) tellRun(run);
        if (stage && !isFirst) say(`stage    ${stage}`);
        progress = new Progress({ output: progressOutput(), steps, until, later });
        if (!isFirst) return;
        say(`run      ${shortPath(run)}${step > 0 ? `, from step ${formatInteger(step)}` : ''}`);
        say(`data     ${data}, ${counted(samples, 'sample')}`);
        if (stage) say(`stage    ${stage}`);
        if (sizes) say(`sizes    ${describeSizes(sizes)}`);
        say(`told     ${told}`);
        say(`model    ${formatCount(parameters)} parameters`);
        say(`backend  ${backend}`);
      },
      onStep: (metrics) => progress?.update(metrics),
      onSamples: (_, path) => say(`samples  ${shortPath(path)}`),
    });
    progress?.end();
    print(...describeEnd(result));
    process.exitCode = await exitCodeOf(result, interrupt, communicator);
    tellExitCode(process.exitCode);
  } catch (error) {
    // Stopped before the first step, while it waited for another machine, say: that is no error, and the exit code tells it.
    if (folder === undefined && interrupt.signal.aborted) {
      process.exitCode = interrupt.exitCode();
      return;
    }
    if (folder && existsSync(join(folder, 'config.json')))
      say(`What was trained until then is in ${shellWord(shortPath(folder))}`);
    throw error;
  } finally {
    progress?.end();
    interrupt.finished();
  }
}

interface StartOptions extends TrainObserver {
  readonly signal: AbortSignal;
  readonly communicator?: Communicator | undefined;
}

/** Ranks wait for each other, so that none leaves by itself. */
async function silently(
  start: (options: StartOptions) => Promise<TrainResult>,
  communicator: Communicator,
): Promise<void> {
  const interrupt = interruptible(() => {});
  try {
    const result = await start({ signal: interrupt.signal, communicator });
    process.exitCode = await exitCodeOf(result, interrupt, communicator);
  } finally {
    interrupt.finished();
  }
}

/** Ranks end with one code: a signal to any of them stops all. */
async function exitCodeOf(
  { finished }: TrainResult,
  interrupt: Interrupt,
  communicator: Communicator | undefined,
): Promise<number> {
  if (finished) return 0;
  const own = interrupt.exitCode();
  const all = await communicator?.gatherJson(own);
  return (all ?? [own]).find((code) => code !== 0) ?? askedToStop;
}

/** `1.3 GiB estimated (state 130 MiB, ...), 12 GiB free; 256 samples a step, 4 x 64` */
export function describePlan({ estimate, available, batchSize, microBatch }: TrainingPlan): string {
  const divided = `${formatInteger(Math.ceil(batchSize / microBatch))} x ${formatInteger(microBatch)}`;
  return [
    `${formatBytes(estimate.total)} estimated (${listParts(estimate)}), ${formatBytes(available)} free; `,
    ...describeDevice(estimate).map((text) => `${text}; `),
    `${counted(batchSize, 'sample')} a step`,
    ...(microBatch < batchSize ? [`, ${divided}`] : []),
  ].join('');
}

/** `64x64, 32 samples a step; 32x32, 128` */
function describeSizes(sizes: NonNullable<TrainStart['sizes']>): string {
  const isSame = sizes.every(({ batchSize }) => batchSize === sizes[0]!.batchSize);
  if (isSame)
    return `${sizes.map(({ name }) => name).join(', ')}; ${counted(sizes[0]!.batchSize, 'sample')} a step`;
  return sizes
    .map(
      ({ name, batchSize }, i) =>
        `${name}, ${i === 0 ? `${counted(batchSize, 'sample')} a step` : batchSize}`,
    )
    .join('; ');
}

const besideSamples = '              beside it, as -path.png: how they come out of the noise';

function pathPictureOf(samples: string): string {
  return samples.replace(/\.png$/, '-path.png');
}

function describeEnd(result: TrainResult): string[] {
  const { run, step, finished, seconds, metrics, checkpoint, samples, autoencoder } = result;
  const folder = shellWord(shortPath(run));
  const steps = counted(step, 'step');
  if (!finished) {
    const state = checkpoint ? `saved ${shortPath(checkpoint)}` : 'nothing was trained yet';
    return ['', `Stopped after ${steps}, ${state}.`, `Go on with:  ${resumeCommand(folder)}`];
  }
  const done = metrics
    ? `Trained ${steps} in ${formatDuration(seconds)}, loss ${formatValue(metrics.loss)}.`
    : `All ${steps} were done before: nothing is left to train.`;
  return [
    '',
    done,
    ...describeOutcome(metrics ?? {}).map(([name, text]) => `  ${name.padEnd(10)}  ${text}`),
    ...(samples
      ? [
          `  samples     ${shortPath(samples)}`,
          ...(existsSync(pathPictureOf(samples)) ? [besideSamples] : []),
        ]
      : []),
    ...(checkpoint ? [`  checkpoint  ${shortPath(checkpoint)}`] : []),
    `  metrics     ${shortPath(join(run, 'metrics.jsonl'))}`,
    ...(autoencoder ? [`  autoencoder ${shortPath(autoencoder)}`] : []),
    autoencoder ? encodeWith(run) : `Make more:  npx rectiflow sample ${folder}`,
    ...(!autoencoder && existsSync(averagesFolder(run))
      ? [`With averages of other lengths:  npx rectiflow sample ${folder} --ema-length 0.08`]
      : []),
  ];
}
