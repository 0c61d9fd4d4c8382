import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SavedCheckpoint, listCheckpoints, stepName, verifyCheckpoint } from '../runs/checkpoint.ts';
import { readMetrics } from '../runs/metrics-log.ts';
import { RunFolder, checkpointFolder, readRun } from '../runs/run-folder.ts';
import { readSteering } from '../runs/steering-events.ts';
import { changesOf } from '../steering/course.ts';
import type { SteeringEvent } from '../steering/event.ts';
import { steeredBefore } from '../steering/steering.ts';
import { RectiflowError, runError } from '../tensor/errors.ts';
import { greatest } from '../tensor/extremes.ts';
import type { ConfigInput, RunConfig } from '../config/config.ts';
import type { OwnModel } from '../train/create-model.ts';
import type { OwnFlow } from '../train/objective.ts';
import { dataOfRun } from '../known/data-of-run.ts';
import { type PreparedRun, withTraining } from '../runner/prepare-run.ts';
import { resolveConfig } from '../config/resolve-config.ts';
import { nextStage, stageEnds, stageOf } from '../known/stage-of.ts';
import { configOfStage } from '../config/stages.ts';
import { spanOf } from '../runner/stages.ts';
import { changesSince, configOf } from '../known/trained-with.ts';
import { openTrainer } from '../runner/open-trainer.ts';
import { type RunOptions, asInRun, withBackend, withKeptTokenizer, withSource } from './parts.ts';

/** The loss of a step as the run logged it, and as it is now. */
export interface ReplayedStep {
  readonly step: number;
  readonly logged: number;
  readonly replayed: number;
  /** To the bit. */
  readonly isEqual: boolean;
}

export interface Replay {
  /** The step that it went on after; 0 for the beginning. */
  readonly from: number;
  /** Every step of the range that the run logged, in order. */
  readonly steps: readonly ReplayedStep[];
}

export interface ReplayOptions
  extends OwnFlow, OwnModel, Pick<RunOptions, 'signal' | 'source' | 'acceptData' | 'backend' | 'onNotice'> {
  /** Hears of each step that was compared. */
  readonly onCompared?: (step: ReplayedStep) => void;
  /** Hears of every step that is done again, of those up to the last. */
  readonly onProgress?: (step: number, last: number) => void;
}

/**
 * Does some steps of a run again, from the last intact checkpoint before them, and compares each loss with the one that the
 * run logged. The run's folder is only read; it may be training.
 * @param first of the range, from 1
 * @param last of the range
 * @throws RectiflowError when it is no run, or it logged none of these steps
 */
export async function replay(
  run: string,
  first: number,
  last: number,
  options: ReplayOptions = {},
): Promise<Replay> {
  const { acceptData, objective, timeSampler, model } = options;
  const { config: recorded } = await readRun(run);
  const file = join(run, 'config.json');
  const current = resolveConfig(recorded as ConfigInput, { origin: file });
  const logged = await loggedLosses(run, first, last);
  const changes = ratesOf(await readSteering(run));
  const saved = await listCheckpoints(checkpointFolder(run));
  const before = await firstIntact(run, saved.filter((step) => step < first).toReversed(), options);
  const after: SavedCheckpoint[] = [];
  for (const step of saved.filter((each) => each >= first)) {
    if ((after.at(-1)?.step ?? 0) >= last) break;
    const next = await firstIntact(run, [step], options);
    if (next) after.push(next);
  }
  const steps: ReplayedStep[] = [];
  const lastLogged = greatest(logged.keys());
  const ends = current.stages.length > 0 ? stageEnds(current) : [];
  for (const { checkpoint, next, end } of stretchesOf(before, after, lastLogged, ends)) {
    const stage = next ? stageOf(next) : nextStage(run, current, checkpoint);
    const now = configOfStage(current, stage);
    const { data, loader, backend: engine } = now;
    const config = { ...((next && configOf(next)) ?? now), data, loader, backend: engine };
    const span = spanOf(current, stage);
    const from = checkpoint && (span?.adapt(checkpoint) ?? checkpoint);
    const known = from ?? next;
    const { onBadSample } = loader;
    await withSource(
      dataOfRun(config, run),
      { ...options, onBadSample, known: checkpoint ?? next },
      (source) =>
        withBackend(config, options, async (backend) => {
          const trained = next ?? from;
          if (trained)
            for (const change of changesSince(trained, config, backend, file)) options.onNotice?.(change);
          const captions = await withKeptTokenizer(config.model, run);
          const prepared = {
            acceptData,
            config: looking(config),
            backend,
            source,
            checkpoint: from,
            span,
            known,
            captions,
            objective,
            timeSampler,
            model,
          };
          const again = (training: PreparedRun): Promise<void> =>
            inTemporaryRun(training.config, async (folder) => {
              const trainer = await openTrainer(
                training,
                { store: folder, folder, steering: steeredBefore(changes) },
                {
                  ...(options.onNotice && { onNotice: options.onNotice }),
                  onStep: ({ step, loss }) => {
                    options.onProgress?.(step, last);
                    const wanted = logged.get(step);
                    if (wanted === undefined) return;
                    const compared = {
                      step,
                      logged: wanted,
                      replayed: loss,
                      isEqual: Object.is(wanted, loss),
                    };
                    steps.push(compared);
                    options.onCompared?.(compared);
                  },
                },
              );
              await trainer.replay(end, options.signal);
            });
          await asInRun(backend, run, () => withTraining(prepared, again));
        }),
    );
  }
  return { from: before?.step ?? 0, steps };
}

/** Steps that were done with the same settings. */
interface Stretch {
  /** After which they come; undefined for the beginning. */
  readonly checkpoint: SavedCheckpoint | undefined;
  /** The first that was saved during them: it knows with which settings they were done, those of today may be others. */
  readonly next: SavedCheckpoint | undefined;
  readonly end: number;
}

/**
 * A range of steps, cut where the settings were changed and where a stage ended.
 * @param before the last checkpoint before the range
 * @param after those from its first step on, in order
 * @param ends of stages
 */
function stretchesOf(
  before: SavedCheckpoint | undefined,
  after: readonly SavedCheckpoint[],
  last: number,
  ends: readonly number[],
): Stretch[] {
  const stretches: Stretch[] = [];
  let [checkpoint, next] = [before, after[0]];
  for (const [i, saved] of after.entries()) {
    const following = after[i + 1];
    if (saved.step >= last) continue;
    const isCut = following && !isTrainedAlike(saved, following);
    if (!isCut && !ends.includes(saved.step)) continue;
    stretches.push({ checkpoint, next, end: saved.step });
    [checkpoint, next] = [saved, following];
  }
  return [...stretches, { checkpoint, next, end: last }];
}

function isTrainedAlike(...saved: readonly [SavedCheckpoint, SavedCheckpoint]): boolean {
  const [first, second] = saved.map((each) => JSON.stringify(configOf(each)));
  return first === second;
}

/** The config with every step looked at and nothing done or told beside: neither changes what a step computes. */
function looking(config: RunConfig): RunConfig {
  return {
    ...config,
    train: { ...config.train, logEvery: 1, sampleEvery: 0, checkpointEvery: 0 },
    ema: { ...config.ema, snapshotEvery: 0 },
    sinks: { tensorboard: false },
  };
}

/** What was changed on the way of what a step computes. */
function ratesOf(events: readonly SteeringEvent[]): SteeringEvent[] {
  return changesOf(events).flatMap((event) => {
    const { learningRate } = event.settings ?? {};
    return learningRate === undefined ? [] : [{ ...event, settings: { learningRate } }];
  });
}

/** The losses of a run in a range of steps. */
async function loggedLosses(run: string, first: number, last: number): Promise<Map<number, number>> {
  const path = join(run, 'metrics.jsonl');
  const { records } = existsSync(path) ? await readMetrics(path) : { records: [] };
  // NaN and infinities, which JSON lacks, are logged by their names.
  const all = records.flatMap(({ step, loss }): [number, number][] =>
    loss === undefined ? [] : [[step, Number(loss)]],
  );
  const inRange = all.filter(([step]) => step >= first && step <= last);
  if (inRange.length > 0) return new Map(inRange);
  const [from, to] = [all[0]?.[0], all.at(-1)?.[0]];
  const before = all.findLast(([step]) => step < first)?.[0];
  const after = all.find(([step]) => step > last)?.[0];
  const near = [before, after].filter((step) => step !== undefined);
  const advice =
    from === undefined
      ? 'It has logged no step yet'
      : `It logged steps from ${from} to ${to}; the nearest to these ${near.length === 1 ? 'is' : 'are'} ${near.join(' and ')}`;
  throw runError(run, `no loss of steps ${first} to ${last} was logged`, advice);
}

/** The first of some checkpoints that is intact, undefined where none is. */
async function firstIntact(
  run: string,
  steps: readonly number[],
  { onNotice }: ReplayOptions,
): Promise<SavedCheckpoint | undefined> {
  for (const step of steps) {
    try {
      return await verifyCheckpoint(join(checkpointFolder(run), stepName(step)));
    } catch (error) {
      if (!(error instanceof RectiflowError)) throw error;
      onNotice?.(error.message);
    }
  }
  return undefined;
}

async function inTemporaryRun(config: RunConfig, use: (folder: RunFolder) => Promise<void>): Promise<void> {
  const place = await mkdtemp(join(tmpdir(), 'rectiflow-replay-'));
  try {
    const folder = await RunFolder.create(join(place, 'run'), config);
    try {
      await use(folder);
    } finally {
      await folder.close();
    }
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}
