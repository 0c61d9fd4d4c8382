import type { Backend } from '../backends/backend.ts';
import { surveyCaptions } from '../check/caption-survey.ts';
import type { RunConfig } from '../config/config.ts';
import { unusedAdvice } from '../data/told.ts';
import { sharedMemory } from '../host/machine-memory.ts';
import { describePast, trainedWith } from '../known/trained-with.ts';
import { type Communicator, ranksOfHost } from '../train/ranks/communicator.ts';
import type { OwnModel } from '../train/create-model.ts';
import type { OwnFlow } from '../train/objective.ts';
import type { TrainingPlan } from '../train/plan-training.ts';
import { type PreparedTraining, assembleTraining } from '../train/prepare.ts';
import type { StageSpan } from '../train/stage-span.ts';
import type { SampleDecoder } from '../train/sample-decoder.ts';
import { type DataOptions, prepareData } from './prepare-data.ts';

export interface TrainingOptions extends DataOptions, OwnFlow, OwnModel {
  readonly backend: Backend;
  /** Where other ranks train the same model. */
  readonly communicator?: Communicator | undefined;
  /** Of a run of stages: the one that is trained. */
  readonly span?: StageSpan | undefined;
  /** Makes pictures of samples that are none. */
  readonly decoder?: SampleDecoder | undefined;
  /** Told what training will take, before that is allocated. */
  readonly onPlan?: ((plan: TrainingPlan) => void) | undefined;
}

/** A run that is ready to train. */
export type PreparedRun = PreparedTraining<RunConfig>;

/**
 * Prepares the data, builds the model and its training step, and fills in the weights: new ones, or those of the checkpoint.
 * Whatever can be wrong with a run is found here, before its folder is made.
 * @throws RectiflowError when data and model do not fit together, or the checkpoint does not fit the config or the data
 */
export async function prepareTraining(options: TrainingOptions): Promise<PreparedRun> {
  const { config: asked, backend, checkpoint, onNotice } = options;
  for (const advice of unusedAdvice(options.source)) onNotice?.(advice);
  const data = await prepareData(options);
  const { source, conditioning, record } = data;
  // A run that goes on was told so when it began.
  if (conditioning.meter && source.captions && !checkpoint && !options.known)
    for (const lost of await surveyCaptions(source, conditioning.meter, asked.loader)) onNotice?.(lost);
  const past = describePast(checkpoint, asked);
  const memory = sharedMemory(options.communicator ? ranksOfHost(options.communicator) : 1);
  const training = await assembleTraining({ ...options, data, memory });
  const { config } = training;
  const stage = options.span && { stage: options.span.index };
  const notes = {
    state: { data: record, trainedWith: trainedWith(config, backend), ...stage, ...past },
    metadata: { data: JSON.stringify(record) },
  };
  return { ...training, notes };
}

/** Prepares a training for as long as `use` takes, and disposes of it. */
export async function withTraining<T>(
  options: TrainingOptions,
  use: (training: PreparedRun) => Promise<T>,
): Promise<T> {
  const training = await prepareTraining(options);
  try {
    return await use(training);
  } finally {
    await training.dispose();
  }
}
