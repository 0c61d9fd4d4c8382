import type { Backend, Buffer, Buffers, Disposable } from '../backends/backend.ts';
import { adviseNames } from '../data/alike.ts';
import type { HeldOutSplit } from '../data/hold-out.ts';
import { nameOfShape } from '../data/sample-sizes.ts';
import { type Source, checkSource } from '../data/source.ts';
import { type SampleModel, costOf, countParameters } from '../models/model.ts';
import { agreePlan } from './ranks/agree-plan.ts';
import type { Communicator } from './ranks/communicator.ts';
import { type CompiledStep, compileStep } from './compiled-step.ts';
import type { Conditioning } from './conditioning.ts';
import { type OwnModel, classesOf, createSampleModel } from './create-model.ts';
import type { Exchange } from './ranks/exchange.ts';
import type { HostMemory } from './host-memory.ts';
import type { TrainStart } from './metrics.ts';
import type { OwnFlow } from './objective.ts';
import { type TrainingPlan, planTraining, withMicroBatch } from './plan-training.ts';
import { runTaskOf } from './run-program.ts';
import type { StoredCheckpoint } from './run-store.ts';
import type { GridTask, RunTask } from './run-task.ts';
import type { SampleDecoder } from './sample-decoder.ts';
import type { TrainingConfig } from './settings.ts';
import { type StateExtent, stateShapes } from './owned-state.ts';
import { restoreSnapshot } from './restore.ts';
import { type Share, describeShare, shareOf } from './ranks/share.ts';
import { type Shape, sameShape } from '../tensor/shape.ts';
import type { StageSpan } from './stage-span.ts';
import { initializeState } from './state.ts';
import type { StepWork } from './step-log.ts';
import { stepPrograms, stepShapes } from './step-shapes.ts';
import { grouped } from '../tensor/counted.ts';
import { stateOf } from './trainer-state.ts';
import type { TrainingData } from './training-data.ts';

export interface AssembleOptions extends OwnFlow, OwnModel {
  readonly config: TrainingConfig;
  readonly backend: Backend;
  readonly data: TrainingData;
  /** Makes pictures of samples that are none. */
  readonly decoder?: SampleDecoder | undefined;
  /** Where to go on; by default at the first step. */
  readonly checkpoint?: StoredCheckpoint | undefined;
  /** Which of the run's steps are trained, where the others are those of another model. */
  readonly span?: StageSpan | undefined;
  /** What is known of the machine's; without, training takes what it needs. */
  readonly memory?: HostMemory | undefined;
  /** Where other ranks train the same model. */
  readonly communicator?: Communicator | undefined;
  readonly onNotice?: ((text: string) => void) | undefined;
  /** Told what training will take, before that is allocated. */
  readonly onPlan?: ((plan: TrainingPlan) => void) | undefined;
}

/** A training step that is ready to run. Whoever prepares it disposes of it: of its step and its buffers, the backend stays. */
export interface PreparedTraining<Config extends TrainingConfig = TrainingConfig> extends Disposable {
  /** With the micro-batch that was chosen, where it says auto. */
  readonly config: Config;
  readonly backend: Backend;
  readonly data: TrainingData;
  /** The samples that are trained on. */
  readonly source: Source;
  /** Where some are kept out of training. */
  readonly split: HeldOutSplit | undefined;
  readonly checkpoint?: StoredCheckpoint | undefined;
  /** Which of the run's steps are trained; all of them by default. */
  readonly span?: StageSpan | undefined;
  /** Updates after which the optimizer's moments were zero, where that is not the beginning. */
  readonly momentsFrom?: number | undefined;
  readonly decoder?: SampleDecoder | undefined;
  readonly model: SampleModel;
  /** What it learns, and what the run does beside that. */
  readonly task: RunTask;
  /** How pictures of samples are made with other settings of them. */
  readonly gridOf: (config: TrainingConfig) => GridTask;
  readonly conditioning: Conditioning;
  /** The step's whole state: weights, moments and averages. */
  readonly buffers: ReadonlyMap<string, Buffer>;
  /** Which tensors the state is of in all, and which elements of them are here. */
  readonly extent?: StateExtent | undefined;
  readonly executable: CompiledStep;
  /** Whether a step may be handed to the backend before it is known whether the last one counted. */
  readonly runsAhead: boolean;
  /** What of the steps is done here. */
  readonly share: Share;
  /** Where other ranks do the rest. */
  readonly communicator?: Communicator | undefined;
  readonly exchange?: Exchange | undefined;
  /** How it fits into the memory. */
  readonly plan: TrainingPlan;
  readonly memory?: HostMemory | undefined;
  /** What checkpoints tell beside what training knows: plain JSON, and texts for the headers of weights. Nothing by default. */
  readonly notes?: TrainingNotes | undefined;
}

export interface TrainingNotes {
  readonly state?: Readonly<Record<string, unknown>>;
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Builds the model and its training step, and fills in the weights: new ones, or those of the checkpoint.
 * @throws RectiflowError when data and model do not fit together, or the checkpoint does not fit the config
 */
export async function assembleTraining<Config extends TrainingConfig>(
  options: AssembleOptions & { readonly config: Config },
): Promise<PreparedTraining<Config>> {
  const { config: asked, backend, data, decoder, checkpoint, span, memory, communicator } = options;
  const { onNotice, onPlan } = options;
  const { source, split, conditioning } = data;
  const model = createSampleModel(asked.model, conditioning.text, options);
  const captions = asked.model.kind === 'text-dit';
  checkSource(source, { shape: model.sampleShape, classes: classesOf(asked.model), captions });
  const share = shareOf(asked.train, communicator);
  for (const text of describeShare(share, asked.train)) onNotice?.(text);
  // In fp16 the scale of the loss follows from whether the last step overflowed.
  const runsAhead =
    backend.runsAhead === true && asked.train.precision !== 'fp16' && communicator === undefined;
  const programs = stepPrograms(asked, model, source.sizes, { ...options, runsAhead, share });
  const { plan, limits } = await agreePlan(communicator, () =>
    planTraining({ ...options, model, source, programs, share }, memory),
  );
  onPlan?.(plan);
  for (const limit of limits) onNotice?.(limit);
  for (const advice of adviseNames(source.classNames ?? [])) onNotice?.(advice);
  const config = withMicroBatch(asked, plan);
  backend.reserve?.(plan.estimate.activations);
  const extent = { own: share.own, shapes: stateShapes(programs.training) };
  const fill = (state: Buffers): Promise<void> =>
    checkpoint
      ? restoreSnapshot({ model, buffers: state, extent }, checkpoint, onNotice)
      : initializeState(backend, model, state, config.seed, share.own);
  const { microBatch } = plan;
  const compiled = await compileStep(backend, programs, {
    microBatch,
    fill,
    communicator,
    wire: asked.train.wire,
  });
  const { step: executable, exchange, buffers, dispose } = compiled;
  const task = runTaskOf(config, model, options);
  const gridOf = (changed: TrainingConfig): GridTask => runTaskOf(changed, model, options).grid;
  return {
    config,
    backend,
    data,
    source,
    split,
    checkpoint,
    span,
    momentsFrom: stateOf(checkpoint).momentsFrom,
    decoder,
    model,
    task,
    gridOf,
    conditioning,
    buffers,
    extent,
    executable,
    runsAhead,
    share,
    communicator,
    exchange,
    plan,
    memory,
    dispose,
  };
}

/** What people are told of a training that begins. */
export function describeTraining({
  config,
  backend,
  source,
  model,
  task,
  span,
}: PreparedTraining): Omit<TrainStart, 'run' | 'step'> {
  return {
    steps: config.train.steps,
    ...(span && { stage: describeSpan(span, model), until: span.until, later: span.later }),
    parameters: countParameters(model),
    backend: backend.describe(),
    data: source.name,
    samples: source.count,
    ...(source.sizes && {
      sizes: stepShapes(model, source.sizes, config.train).map(({ sampleShape, batchSize }) => {
        return { name: nameOfShape(sampleShape), batchSize };
      }),
    }),
    told: task.describeTold(source),
  };
}

/** How many samples a step has, and what they cost. */
export function workOf({ model }: Pick<PreparedTraining, 'model'>, samples: number, shape: Shape): StepWork {
  if (sameShape(shape, model.sampleShape)) return { samples, work: samples };
  return { samples, work: (samples * costOf(model, shape).training) / costOf(model).training };
}

/** `2 of 3, 64x64, to step 1,500` */
function describeSpan({ index, count, until }: StageSpan, { sampleShape }: SampleModel): string {
  return `${index + 1} of ${count}, ${nameOfShape(sampleShape)}, to step ${grouped(until)}`;
}

/** What products at the peak of the machines of all ranks would make of it, were they as this one, where the backend measures that. */
export async function mostSamplesPerSecond({
  backend,
  model,
  share,
}: PreparedTraining): Promise<number | undefined> {
  const peak = await backend.measurePeak?.();
  return peak === undefined ? undefined : (share.ranks * peak) / costOf(model).training;
}
