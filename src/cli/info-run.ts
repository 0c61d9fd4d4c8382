import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { listCheckpoints, stepName } from '../runs/checkpoint.ts';
import { readMetrics } from '../runs/metrics-log.ts';
import type { MetricsRecord } from '../kept/metrics-lines.ts';
import { checkpointFolder, readRun } from '../runs/run-folder.ts';
import { listSome } from '../data/list-some.ts';
import type { ConfigInput, RunConfig } from '../config/config.ts';
import type { KindName } from '../models/kinds/index.ts';
import type { EmaConfig } from '../train/settings.ts';
import { keptAutoencoder } from '../api/run-autoencoder.ts';
import { describePerChannel, latentRecordOf } from '../data/latents.ts';
import { type DataRecord, dataOf, genesOf } from '../known/data-record.ts';
import type { StepMetrics } from '../train/metrics.ts';
import { type KnownData, knownToRun } from '../known/known-data.ts';
import { configAt, stageEnds } from '../known/stage-of.ts';
import { configOfStage } from '../config/stages.ts';
import { resolveConfig } from '../config/resolve-config.ts';
import { formatDuration, formatInteger, formatValue } from './format.ts';
import { describeSizes } from './info-model.ts';
import { encodeWith } from './next-command.ts';
import { describeNumbers } from './metrics-view.ts';
import { shellWord, shortPath } from './paths.ts';
import { readSteering } from '../runs/steering-events.ts';
import { changesOf } from '../steering/course.ts';
import { describeEvent } from '../steering/event.ts';
import { counted } from '../tensor/counted.ts';

/** @throws RectiflowError when the folder is no run, or its config.json is damaged */
export async function describeRun(run: string): Promise<string[]> {
  const { config: recorded, created, machine, version } = await readRun(run);
  const whole = resolveConfig(recorded as ConfigInput, { origin: join(run, 'config.json') });
  const saved = await knownToRun(run);
  const config = saved ? configAt(whole, saved) : configOfStage(whole, 0);
  const steps = await listCheckpoints(checkpointFolder(run));
  const last = steps.at(-1);
  const records = await logOf(run);
  const changes = changesOf(await readSteering(run));
  const done = last === config.train.steps;
  return [
    shortPath(run),
    `  started      ${created} on ${machine.host} (${machine.cpu}), rectiflow ${version}`,
    `  data         ${config.data.source}, ${counted(config.train.batchSize, 'sample')} per step, seed ${config.seed}`,
    ...(saved ? describeData(run, saved) : []),
    ...describeStages(whole, last ?? 0),
    `  progress     ${describeProgress(records.at(-1), config.train.steps)}`,
    ...describeLog(records),
    ...changes.map((event, i) => `  ${i === 0 ? 'steered    ' : '           '}  ${describeEvent(event)}`),
    ...describeAverages(config.ema),
    `  checkpoints  ${steps.length === 0 ? 'none yet' : steps.map(formatInteger).join(', ')}`,
    ...(last === undefined
      ? []
      : [`               ${shortPath(join(checkpointFolder(run), stepName(last)))}`]),
    ...(config.model.kind === 'custom'
      ? ['  model        custom: its sizes and cost are known to the program that brings it']
      : await describeSizes(config.model, [config.train.batchSize], {
          ...config.backend,
          precision: config.train.precision,
        })),
    '',
    nextOf(run, config.model.kind, done),
  ];
}

function nextOf(run: string, kind: KindName, done: boolean): string {
  if (!done) return `Go on with it:  npx rectiflow resume ${shellWord(run)}`;
  return kind === 'autoencoder' ? encodeWith(run) : `Make samples:  npx rectiflow sample ${shellWord(run)}`;
}

/** What the model was told, and of which set, as the last checkpoint knows it. */
function describeData(run: string, saved: KnownData): string[] {
  const { told, count, classNames, record, accepted = [] } = dataOf(saved);
  const genes = genesOf(record);
  const names = classNames ? `: ${listSome(classNames)}` : '';
  const parts = [
    ...(count === undefined ? [] : [counted(count, 'sample')]),
    ...(genes ? [counted(genes.length, 'gene')] : []),
    ...(told === undefined ? [] : [`told ${toldNames[told]}${told === 'class' ? names : ''}`]),
  ];
  return [
    ...(parts.length > 0 ? [`  trained on   ${parts.join(', ')}`] : []),
    ...describeLatents(run, record),
    ...accepted.map(({ step, text }) => `               after step ${formatInteger(step)}: ${text}`),
  ];
}

/** In what scale the model sees latents, and what makes pictures of them. */
function describeLatents(run: string, record: DataRecord['record']): string[] {
  const latents = latentRecordOf(record);
  if (latents === undefined) return [];
  const { scale, shift, autoencoder } = latents;
  const of =
    autoencoder === undefined
      ? 'an autoencoder that nothing tells'
      : `the autoencoder ${autoencoder.slice(0, 12)}`;
  const kept = keptAutoencoder(run) === undefined ? 'not kept with the run' : 'kept with the run';
  return [
    `  latents      of ${of}, ${kept}; scale ${describePerChannel(scale)}, shift ${describePerChannel(shift)}`,
  ];
}

/** What each stage is, or was, trained at. @param done steps */
function describeStages(config: RunConfig, done: number): string[] {
  const ends = stageEnds(config);
  return config.stages.map(({ imageSize, patchSize, batchSize, steps, learningRate }, i) => {
    const end = ends[i]!;
    const state =
      done >= end
        ? 'done'
        : done > end - steps || (done === end - steps && i === 0)
          ? 'under way'
          : 'to come';
    const what = `${imageSize.join('x')} in patches of ${patchSize}, steps ${formatInteger(end - steps + 1)} to ${formatInteger(end)}`;
    const text = `${what}, ${counted(batchSize, 'sample')} each, learning rate ${learningRate}: ${state}`;
    return `  ${i === 0 ? 'stages     ' : '           '}  ${i + 1}: ${text}`;
  });
}

const toldNames = { class: 'labels', caption: 'captions', nothing: 'nothing' } as const;

/** Of other lengths, where the run stores what they are made of. */
function describeAverages({ power, snapshotEvery }: EmaConfig): string[] {
  if (power.length === 0 || snapshotEvery === 0) return [];
  const stored = `those of length ${power.join(' and ')} are stored every ${counted(snapshotEvery, 'step')}`;
  return [`  averages     ${stored}, to make others of (--ema-length)`];
}

async function logOf(run: string): Promise<MetricsRecord[]> {
  const path = join(run, 'metrics.jsonl');
  return existsSync(path) ? (await readMetrics(path)).records : [];
}

function describeProgress(last: MetricsRecord | undefined, steps: number): string {
  if (last === undefined) return `no step of ${formatInteger(steps)} logged yet`;
  const { step, loss, seconds } = last;
  const time = typeof seconds === 'number' ? `, ${formatDuration(seconds)}` : '';
  return `step ${formatInteger(step)} of ${formatInteger(steps)}${time}, loss ${typeof loss === 'number' ? formatValue(loss) : loss}`;
}

function describeLog(records: readonly MetricsRecord[]): string[] {
  const last: Partial<StepMetrics> = records.at(-1) ?? {};
  const evaluated: Partial<StepMetrics> | undefined = records.findLast(
    ({ heldOutLoss }) => heldOutLoss !== undefined,
  );
  return describeNumbers(last, evaluated).map(([name, text]) => `  ${name.padEnd(11)}  ${text}`);
}
