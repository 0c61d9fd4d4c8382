// The steps of a run, one stage after the other; of most runs there is one alone.
import type { Backend } from '../backends/backend.ts';
import type { RunConfig } from '../config/config.ts';
import { configOfStage } from '../config/stages.ts';
import { latentRecordOf } from '../data/latents.ts';
import type { Source } from '../data/source.ts';
import { dataOf } from '../known/data-record.ts';
import { dataAsTold } from '../known/data-of-run.ts';
import { areInRun, locatedData } from '../sources/in-run.ts';
import type { KnownData } from '../known/known-data.ts';
import { nextStage, stageOf } from '../known/stage-of.ts';
import { type CheckpointLoss, checkpointLoss } from '../runner/checkpoint-loss.ts';
import { openTrainer } from '../runner/open-trainer.ts';
import { withTraining } from '../runner/prepare-run.ts';
import { openLog } from '../runner/run-folder-log.ts';
import { StagesLog } from '../runner/stages-log.ts';
import { describeGrowth, describeLosses, spanOf, withSampleShape } from '../runner/stages.ts';
import type { SavedCheckpoint } from '../runs/checkpoint.ts';
import { tuningOfRun } from '../runs/tuning-file.ts';
import { checkPrepared } from './ranks/alike.ts';
import type { RunPlace } from './ranks/place.ts';
import type { TrainResult } from '../train/metrics.ts';
import type { StoredCheckpoint } from '../train/run-store.ts';
import { type LatentDecoder, withDecoder } from './decoder.ts';
import { withOwnAutoencoder } from './own-autoencoder.ts';
import { type RunOptions, withKeptTokenizer, withSource } from './parts.ts';
import { autoencoderOfData, keepAutoencoder, keptAutoencoder } from './run-autoencoder.ts';

export interface StagedRun {
  /** Of the whole run. */
  readonly config: RunConfig;
  readonly backend: Backend;
  readonly options: RunOptions;
  /** Where it goes on; by default at the first step. */
  readonly checkpoint?: SavedCheckpoint | undefined;
  /** Whose data those of a new run are compared with. */
  readonly known?: KnownData | undefined;
  /** Data that are open already, and the settings that they were opened with. */
  readonly opened?: { readonly config: RunConfig; readonly source: Source } | undefined;
  /**
   * The run's folder. Of a new run it is made by that, once its first stage is known to be trainable.
   * @param first the config of that stage, with the micro-batch that was chosen
   */
  place(first: RunConfig): Promise<RunPlace>;
}

/** Trains to the run's last step, or until the signal. Throws as `train` does. */
export async function trainStages(given: StagedRun): Promise<TrainResult> {
  const { config, checkpoint, backend } = given;
  let endTuning: (() => void) | undefined;
  const run: StagedRun = {
    ...given,
    async place(first) {
      const place = await given.place(first);
      // What is chosen by measurement stays with the run; the process that holds its folder writes it.
      if (place.folder) endTuning ??= await backend.keepTuning?.(tuningOfRun(place.path));
      return place;
    },
  };
  const last = Math.max(0, config.stages.length - 1);
  const log = new StagesLog();
  let at: StageStart = { saved: checkpoint };
  try {
    const first = checkpoint ? nextStage((await run.place(config)).path, config, checkpoint) : 0;
    for (let index = first; ; index++) {
      const { result, next } = await trainStage(run, index, at, log);
      if (next === undefined || index === last) return result;
      at = next;
    }
  } catch (error) {
    await log.fail();
    throw error;
  } finally {
    endTuning?.();
  }
}

/** Where a stage goes on. */
interface StageStart {
  readonly saved: SavedCheckpoint | undefined;
  /** What its weights lose, where that is measured already. */
  readonly loss?: CheckpointLoss;
}

interface StageEnd {
  readonly result: TrainResult;
  /** Where the next one goes on, if this one came to its end. */
  readonly next?: StageStart;
}

async function trainStage(run: StagedRun, index: number, at: StageStart, log: StagesLog): Promise<StageEnd> {
  const { backend, options } = run;
  const { objective, timeSampler, model, acceptData, communicator, onNotice, onPlan } = options;
  const own = { backend, objective, timeSampler, model, acceptData, communicator };
  const config = configOfStage(run.config, index);
  const span = spanOf(run.config, index);
  const { saved } = at;
  const checkpoint = saved && (span?.adapt(saved) ?? saved);
  const trained = async (source: Source, decoder: LatentDecoder | undefined): Promise<StageEnd> => {
    const captions = saved && (await withKeptTokenizer(config.model, (await run.place(config)).path));
    const grows = saved !== undefined && checkpoint !== saved;
    // What was told is logged once the log is open.
    const told = grows ? await tellGrowth(run, index, { ...at, saved }, source) : [];
    for (const text of told) onNotice?.(text);
    const known = run.known && span ? withSampleShape(run.known, source.shape) : run.known;
    const prepared = { ...own, known, config, source, decoder, checkpoint, captions, span, onNotice, onPlan };
    const result = await withTraining(prepared, async (training) => {
      if (communicator) await checkPrepared(communicator, training);
      const place = await run.place(training.config);
      if (decoder && place.folder) await keepDecoder(decoder, place.path, saved, training.config);
      if (span === undefined) {
        const trainer = await openTrainer(training, place, options, options);
        return withOwnAutoencoder(training, place, await trainer.run(options.signal));
      }
      const isLast = index === span.count - 1;
      const { folder } = place;
      const open = folder && (await log.open(() => openLog(training, folder, options, options)));
      for (const text of told) open?.notice(span.after, text);
      const kept = open && log.during(open, isLast);
      return (await openTrainer(training, place, options, options, kept)).run(options.signal);
    });
    if (!result.finished || span === undefined || index === span.count - 1) return { result };
    const ended = await (await run.place(config)).store.latest((damage) => onNotice?.(damage.message));
    const measured = { ...own, config, source, checkpoint: ended, captions };
    return { result, next: { saved: ended, loss: await checkpointLoss(measured) } };
  };
  return withData(run, config, saved, async (source) => {
    const kept = saved && keptAutoencoder((await run.place(config)).path);
    const path = autoencoderOfData(config.data) ?? kept;
    // In half precision the rounding would be seen.
    const shared = options.backend ?? (backend.precision === 'fp32' ? backend : undefined);
    const decoding = { path, facts: source, of: source.name, backend: shared, onNotice };
    return withDecoder(config, decoding, (decoder) => trained(source, decoder));
  });
}

/** Of a new run, and of one that goes on with latents of another autoencoder, or without having kept it. */
async function keepDecoder(
  { autoencoder }: LatentDecoder,
  run: string,
  saved: SavedCheckpoint | undefined,
  { train }: RunConfig,
): Promise<void> {
  const known = saved && latentRecordOf(dataOf(saved).record)?.autoencoder;
  const isKept = keptAutoencoder(run) !== undefined && (!saved || known === autoencoder.fingerprint);
  if (!isKept && (saved?.step ?? 0) < train.steps) await keepAutoencoder(autoencoder, run);
}

/** What becomes of the model of the stage before, and of its loss. */
async function tellGrowth(
  run: StagedRun,
  index: number,
  { saved, loss }: StageStart & { readonly saved: SavedCheckpoint },
  source: Source,
): Promise<string[]> {
  const { backend, options } = run;
  const { objective, timeSampler, acceptData } = options;
  const { path } = await run.place(run.config);
  const [from, to] = [configOfStage(run.config, stageOf(saved)), configOfStage(run.config, index)];
  const measure = async (
    config: RunConfig,
    checkpoint: StoredCheckpoint,
    own: Source,
  ): Promise<CheckpointLoss> => {
    const captions = await withKeptTokenizer(config.model, path);
    return checkpointLoss({
      config,
      backend,
      source: own,
      checkpoint,
      captions,
      objective,
      timeSampler,
      acceptData,
    });
  };
  const before = loss ?? (await withData(run, from, saved, (own) => measure(from, saved, own)));
  const span = spanOf(run.config, index)!;
  const after = await measure(to, span.adapt(saved), source);
  const parameters = (await saved.open('model'))?.slots ?? new Map();
  const begins = `stage ${index + 1} of ${span.count} begins after step ${saved.step}`;
  const [weights, others] = describeGrowth(from, to, parameters);
  return [`${begins}: ${weights}`, others!, describeLosses(from, before, to, after)];
}

async function withData<T>(
  { config: whole, options, opened, place }: StagedRun,
  config: RunConfig,
  known: SavedCheckpoint | undefined,
  use: (source: Source) => Promise<T>,
): Promise<T> {
  // `dataAt` gives back the settings themselves where nothing about them changes.
  if (opened && config.data === opened.config.data) return use(opened.source);
  const { onBadSample } = whole.loader;
  const data = areInRun(config.data) ? locatedData(config.data, (await place(config)).path) : config.data;
  const opening = { ...options, onBadSample, known };
  return withSource(known ? dataAsTold({ ...config, data }) : data, opening, use);
}
