import { isEdited } from '../kept/record.ts';
import { RunFolder } from '../runs/run-folder.ts';
import { recordSteering } from '../runs/steering-events.ts';
import { checkCredentials } from '../sinks/secrets.ts';
import type { SteeringEvent } from '../steering/event.ts';
import type { ConfigInput, RunConfig } from '../config/config.ts';
import type { KnownData } from '../known/known-data.ts';
import { planStages } from '../runner/stages.ts';
import { ParsedConfig } from '../config/resolve-config.ts';
import type { TrainResult } from '../train/metrics.ts';
import type { TrainingPlan } from '../train/plan-training.ts';
import { createRun } from './create-run.ts';
import { fittingDevice } from './fit-device.ts';
import { configFile, goOn } from './go-on.ts';
import { type RunOptions, keepTokenizer, withSource } from './parts.ts';
import { checkSettings } from './ranks/alike.ts';
import { ofRank } from './ranks/of-rank.ts';
import { type RunPlace, openPlace } from './ranks/place.ts';
import { RunDevice, recovering } from './recover.ts';
import { trainStages } from './train-stages.ts';

export interface TrainOptions extends RunOptions {
  /** Where the run's folder is made; `runs` by default. */
  readonly runs?: string;
  /** What a run that this one is to repeat knew of its data; they are compared as those of a checkpoint are. */
  readonly known?: KnownData | undefined;
  /** How it is changed on its way: what was changed while another run trained that this one is to repeat, at the same steps. */
  readonly steering?: readonly SteeringEvent[] | undefined;
  /** How errors call the config: a file, a recipe. */
  readonly origin?: string;
}

/**
 * Trains a new run in a folder of its own: `runs/<name>`, or `runs/<name>-2`, ... where that is taken.
 * @throws RectiflowError when the config is wrong, the data are not there, or the loss is no longer a number
 */
export async function train(
  input: ConfigInput | ParsedConfig,
  asked: TrainOptions = {},
): Promise<TrainResult> {
  const { runs = 'runs' } = asked;
  const options = ofRank(asked);
  const { communicator } = options;
  const given = ParsedConfig.of(input, options.origin);
  const parsed = asked.communicator ? given.forRanks(asked.communicator.ranks) : given;
  const { onBadSample } = parsed.reading.loader;
  const device = new RunDevice(options);
  let place: RunPlace | undefined;
  let isAuto = false;
  let tried: number | undefined;
  const onPlan = (plan: TrainingPlan): void => {
    tried = plan.microBatch;
    options.onPlan?.(plan);
  };
  const begin = (microBatch: number | undefined): Promise<TrainResult> =>
    withSource(parsed.data, { ...options, onBadSample }, async (source) => {
      const resolved = parsed.resolve(source);
      const { train: wanted } = resolved;
      isAuto ||= wanted.microBatch === 'auto';
      const config = microBatch === undefined ? resolved : { ...resolved, train: { ...wanted, microBatch } };
      checkCredentials(config.sinks, { sendKeysTo: options.sendKeysTo });
      return device.with(config, async (backend) => {
        // `auto` must mean the same when the run is resumed, on another machine too.
        const precise = { ...config, train: { ...config.train, precision: backend.precision } };
        if (communicator) await checkSettings(communicator, precise, backend, options.onNotice);
        const planned = await planStages(precise, { ...options, backend, source });
        const start = async (first: RunConfig): Promise<RunPlace> => {
          const make = (): Promise<RunFolder> =>
            newFolder(runs, planned.stages.length > 0 ? planned : first, asked.steering);
          return (place ??= await openPlace(make, communicator));
        };
        return trainStages({
          config: planned,
          backend,
          options: { ...options, onPlan },
          known: options.known,
          opened: { config: planned, source },
          place: start,
        });
      });
    });
  try {
    const undo = async (): Promise<boolean> => {
      if (!isAuto || !device.isOwn || (place && !(await place.folder?.discardUnused()))) return false;
      await place?.close();
      place = undefined;
      return true;
    };
    const fitting = { tried: () => tried, undo, onNotice: options.onNotice };
    return await recovering(() => fittingDevice(begin, fitting), {
      device,
      options,
      place: () => place,
      goOn: (from, checkpoint) => goOn(from, checkpoint, device, options),
    });
  } catch (error) {
    await place?.folder?.discardUnused().catch(() => {});
    throw error;
  } finally {
    await place?.close();
  }
}

/** With all that its weights mean nothing without, and how it is to be changed on its way. */
async function newFolder(
  runs: string,
  config: RunConfig,
  steering: readonly SteeringEvent[] = [],
): Promise<RunFolder> {
  const folder = await createRun(runs, config);
  try {
    await keepTokenizer(config.model, folder.path);
    await recordSteering(folder.path, steering);
    return folder;
  } catch (error) {
    await folder.discardUnused().catch(() => {});
    await folder.close();
    throw error;
  }
}

/**
 * Goes on with a run where its last intact checkpoint left it, to the bit as if it had not stopped.
 * @param run its folder
 * @throws RectiflowError when it is no run, another process works on it, no checkpoint is intact, or the data are not those that
 * it was trained on
 */
export async function resume(run: string, asked: RunOptions = {}): Promise<TrainResult> {
  const options = ofRank(asked);
  const { communicator, signal, onNotice } = options;
  const device = new RunDevice(options);
  const place = await openPlace(() => RunFolder.open(run, { signal, onNotice }), communicator);
  try {
    const checkpoint = await place.latest((damage) => onNotice?.(damage.message));
    if (checkpoint === undefined) {
      onNotice?.(`${run}: no checkpoint was saved yet, so this begins again at the first step.`);
      if (await isEdited(place.record))
        onNotice?.(
          `${configFile(run)} is not as it was when the run began: the config was edited, or damaged.`,
        );
    }
    return await recovering(() => goOn(place, checkpoint, device, options), {
      device,
      options,
      place: () => place,
      goOn: (from, saved) => goOn(from, saved, device, options),
    });
  } finally {
    await place.close();
  }
}
