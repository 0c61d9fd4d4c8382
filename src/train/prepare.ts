import type { Backend, Buffer, Buffers, Disposable } from '../backends/backend.ts';
import { adviseNames } from '../data/alike.ts';
import type { HeldOutSplit } from '../data/hold-out.ts';
import { type Source, checkSource } from '../data/source.ts';
import { describeTold, unusedAdvice } from '../data/told.ts';
import type { Objective } from '../flow/objective.ts';
import { type VelocityModel, costOf, countParameters } from '../models/model.ts';
import type { Conditioning } from './conditioning.ts';
import { surveyCaptions } from '../check/caption-survey.ts';
import type { RunConfig } from '../config/config.ts';
import { type CompiledStep, compileStep } from './compiled-step.ts';
import { type OwnModel, createModel } from './create-model.ts';
import type { TrainStart } from './metrics.ts';
import { type OwnFlow, objectiveOf } from './objective.ts';
import { classesOf } from './create-model.ts';
import { type TrainingPlan, describeLimits, planTraining, withMicroBatch } from './plan-training.ts';
import { type DataOptions, type PreparedData, prepareData } from '../known/prepare-data.ts';
import { stepOf } from './run-program.ts';
import { restoreSnapshot } from './snapshot.ts';
import { initializeState } from './state.ts';
import { StepPrograms } from './step-programs.ts';

export interface TrainingOptions extends DataOptions, OwnFlow, OwnModel {
  readonly backend: Backend;
  /** Told what training will take, before that is allocated. */
  readonly onPlan?: ((plan: TrainingPlan) => void) | undefined;
}

/** A training step that is ready to run. Whoever prepares it disposes of it: of its step and its buffers, the backend stays. */
export interface PreparedTraining extends TrainingOptions, Disposable {
  /** With the micro-batch that was chosen, where it says auto. */
  readonly config: RunConfig;
  /** The samples that are trained on. */
  readonly source: Source;
  readonly data: PreparedData;
  /** Where some are kept out of training. */
  readonly split: HeldOutSplit | undefined;
  readonly model: VelocityModel;
  readonly objective: Objective;
  readonly conditioning: Conditioning;
  /** The step's whole state: weights, moments and averages. */
  readonly buffers: ReadonlyMap<string, Buffer>;
  readonly executable: CompiledStep;
  /** How it fits into the memory. */
  readonly plan: TrainingPlan;
}

/**
 * Builds the model and its training step, and fills in the weights: new ones, or those of the checkpoint. Whatever can be
 * wrong with a run is found here, before its folder is made.
 * @throws RectiflowError when data and model do not fit together, or the checkpoint does not fit the config or the data
 */
export async function prepareTraining(options: TrainingOptions): Promise<PreparedTraining> {
  const { config: asked, backend, checkpoint, onNotice, onPlan } = options;
  for (const advice of unusedAdvice(options.source)) onNotice?.(advice);
  const data = await prepareData(options);
  const { source, split, conditioning } = data;
  // A run that goes on was told so when it began.
  if (conditioning.meter && source.captions && !checkpoint && !options.known)
    for (const lost of await surveyCaptions(source, conditioning.meter, asked.loader)) onNotice?.(lost);
  const model = createModel(asked.model, conditioning.text, options);
  const captions = asked.model.kind === 'text-dit';
  checkSource(source, { shape: model.sampleShape, classes: classesOf(asked.model), captions });
  const programs = new StepPrograms(stepOf(asked, model, options));
  const plan = planTraining({ ...options, model, source, programs });
  onPlan?.(plan);
  for (const limit of describeLimits(plan)) onNotice?.(limit);
  for (const advice of adviseNames(source.classNames ?? [])) onNotice?.(advice);
  const config = withMicroBatch(asked, plan);
  backend.reserve?.(plan.estimate.activations);
  const fill = (state: Buffers): Promise<void> =>
    checkpoint
      ? restoreSnapshot(model, state, checkpoint, onNotice)
      : initializeState(backend, model, state, config.seed);
  const { microBatch } = plan;
  const { step: executable, buffers, dispose } = await compileStep(backend, programs, { microBatch, fill });
  const objective = objectiveOf(config, options);
  return {
    ...options,
    config,
    source,
    data,
    split,
    model,
    objective,
    conditioning,
    buffers,
    executable,
    plan,
    dispose,
  };
}

/** Prepares a training for as long as `use` takes, and disposes of it. */
export async function withTraining<T>(
  options: TrainingOptions,
  use: (training: PreparedTraining) => Promise<T>,
): Promise<T> {
  const training = await prepareTraining(options);
  try {
    return await use(training);
  } finally {
    await training.dispose();
  }
}

/** What people are told of a training that begins. */
export function describeTraining({
  config,
  backend,
  source,
  model,
}: PreparedTraining): Omit<TrainStart, 'run' | 'step'> {
  return {
    steps: config.train.steps,
    parameters: countParameters(model),
    backend: backend.describe(),
    data: source.name,
    samples: source.count,
    told: describeTold(source),
  };
}

/** What products at the machine's peak would make of it, where the backend measures that. */
export async function mostSamplesPerSecond({
  backend,
  model,
}: PreparedTraining): Promise<number | undefined> {
  const peak = await backend.measurePeak?.();
  return peak === undefined ? undefined : peak / costOf(model).training;
}
