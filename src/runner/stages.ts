// A run of stages: what each trains, and how the model of one becomes that of the next.
import type { RunConfig } from '../config/config.ts';
import { configOfStage, hasPatches } from '../config/stages.ts';
import { stageEnds, stageOf } from '../known/stage-of.ts';
import { type ParameterResize, patchResizes } from '../models/grow-patches.ts';
import { costOf } from '../models/model.ts';
import { RectiflowError, formatShape, internalError } from '../tensor/errors.ts';
import { counted } from '../tensor/counted.ts';
import { sharedMemory } from '../host/machine-memory.ts';
import type { Backend } from '../backends/backend.ts';
import type { DataFacts } from '../train/memory-estimate.ts';
import type { OwnFlow } from '../train/objective.ts';
import { planTraining } from '../train/plan-training.ts';
import { createSampleModel } from '../train/create-model.ts';
import { type GrowOptions, grownCheckpoint } from '../train/grown-checkpoint.ts';
import { type Communicator, ranksOfHost } from '../train/ranks/communicator.ts';
import { shareOf } from '../train/ranks/share.ts';
import { optimizersOf } from '../train/run-program.ts';
import { toFloat32 } from '../tensor/to-float32.ts';
import type { Grow } from '../runs/stored-averages.ts';
import type { StoredCheckpoint } from '../train/run-store.ts';
import type { StageSpan } from '../train/stage-span.ts';
import type { CheckpointLoss } from './checkpoint-loss.ts';

/**
 * The steps of a stage.
 * @returns undefined where the run has no stages
 */
export function spanOf(config: RunConfig, index: number): StageSpan | undefined {
  const { stages } = config;
  if (stages.length === 0) return undefined;
  const ends = stageEnds(config);
  const after = index === 0 ? 0 : ends[index - 1]!;
  const costOfStep = (stage: number): number => {
    const { model, train } = configOfStage(config, stage);
    return train.batchSize * costOf(createSampleModel(model)).training;
  };
  const later = stages
    .slice(index + 1)
    .reduce((total, { steps }, i) => total + steps * costOfStep(index + 1 + i), 0);
  return {
    index,
    count: stages.length,
    after,
    until: ends[index]!,
    ends,
    warmupSteps: index === 0 ? 0 : stages[index]!.warmupSteps,
    later: later / costOfStep(index),
    adapt: (saved) => adaptToStage(config, index, saved),
  };
}

export interface PlanStagesOptions extends OwnFlow {
  readonly backend: Backend;
  readonly source: DataFacts;
  readonly communicator?: Communicator | undefined;
}

/**
 * The config of a run with the micro-batch of each stage, where that is auto: to be recorded, so that every stage is the same whenever
 * the run is resumed.
 * @throws RectiflowError as `planTraining` does, for the first stage that does not fit into the memory
 */
export async function planStages(
  config: RunConfig,
  { backend, source, communicator, ...own }: PlanStagesOptions,
): Promise<RunConfig> {
  const memory = sharedMemory(communicator ? ranksOfHost(communicator) : 1);
  const planned = config.stages.map((stage, index) => {
    const asked = configOfStage(config, index);
    const model = createSampleModel(asked.model);
    const share = shareOf(asked.train, communicator);
    const { microBatch } = planTraining({ ...own, config: asked, backend, model, source, share }, memory);
    return stage.microBatch === undefined ? undefined : microBatch;
  });
  // As many as every rank has room for.
  const all = (await communicator?.gatherJson(planned)) ?? [planned];
  const stages = config.stages.map((stage, index) => {
    const fitting = all.flatMap((ofRank) => ofRank[index] ?? []);
    return fitting.length === 0 ? stage : { ...stage, microBatch: Math.min(...fitting) };
  });
  return { ...config, stages };
}

/**
 * A checkpoint as a stage goes on after it.
 * @throws RectiflowError where it is neither of that stage nor the last of the one before
 */
export function adaptToStage(config: RunConfig, index: number, saved: StoredCheckpoint): StoredCheckpoint {
  const stage = stageOf(saved);
  if (stage === index) return saved;
  const end = stageEnds(config)[index - 1];
  if (stage !== index - 1 || saved.step !== end) {
    const problem = `${saved.path}: the checkpoint from which stage ${index + 1} began, of step ${end}, is damaged or gone`;
    const advice = `Resume the run: it goes on after step ${saved.step}, in stage ${stage + 1}.`;
    throw new RectiflowError('run', `${problem}. ${advice}`);
  }
  const [from, to] = [configOfStage(config, stage), configOfStage(config, index)];
  const grown = grownCheckpoint(saved, growOptions(from, to));
  return withSampleShape(grown, createSampleModel(to.model).sampleShape);
}

/** What of a model with the settings of `from` is resized for one with those of `to`. */
export function growOptions(from: RunConfig, to: RunConfig): GrowOptions & { readonly resizes: Resizes } {
  const { kernels, moments } = to.growth;
  if (!hasPatches(from.model) || !hasPatches(to.model)) throw internalError('a model without patches grows');
  return {
    resizes: patchResizes(from.model, to.model.patchSize, kernels),
    moments,
    optimizers: optimizersOf(to.optimizer),
    tables: createSampleModel(to.model).tables?.map(({ name }) => name),
  };
}

type Resizes = ReadonlyMap<string, ParameterResize>;

/**
 * What has become of a parameter, or an average of it, since a step, in the model of a stage.
 * @returns undefined for steps of that stage
 */
export function growSince(config: RunConfig, stage: number): (step: number) => Grow | undefined {
  const ends = stageEnds(config);
  return (step) => {
    const first = ends.findIndex((end) => step <= end);
    if (first < 0 || first >= stage) return undefined;
    const ways = Array.from({ length: stage - first }, (_, i) => {
      const [from, to] = [first + i, first + i + 1].map((index) => configOfStage(config, index));
      return growOptions(from!, to!).resizes;
    });
    return (parameter, tensor) =>
      ways.reduce((grown, resizes) => {
        const way = resizes.get(parameter);
        return way
          ? { dtype: 'F32', shape: way.shape, data: way.resize(toFloat32(grown), 'weights') }
          : grown;
      }, tensor);
  };
}

/** What is known of the data of a checkpoint, were they of another size. */
export function withSampleShape<Known extends Pick<StoredCheckpoint, 'state'>>(
  known: Known,
  shape: readonly number[],
): Known {
  const { data } = known.state;
  if (typeof data !== 'object' || data === null || !('shape' in data)) return known;
  return { ...known, state: { ...known.state, data: { ...data, shape } } };
}

/**
 * What becomes of a model that grows, each a sentence.
 * @param parameters of the model that grows, by name, with their shapes
 * @param added those that are new
 */
export function describeGrowth(
  from: RunConfig,
  to: RunConfig,
  parameters: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  added: readonly string[] = [],
): string[] {
  const { resizes, tables = [] } = growOptions(from, to);
  const own = [...parameters].filter(([name]) => !tables.includes(name));
  const resized = own.flatMap(([name, { shape }]) => {
    const now = resizes.get(name)?.shape;
    return now ? `${name} ${formatShape(shape)} -> ${formatShape(now)}` : [];
  });
  const kernels = to.growth.kernels === 'bilinear' ? 'bilinearly' : 'by the pseudo-inverse';
  const moments = to.growth.moments === 'kept' ? 'are resized with them' : 'begin with zero';
  const how = `: ${resized.join(', ')}. Kernels of patches are resized ${kernels}, what the last layer says as a picture; the averages of the weights likewise`;
  return [
    `${counted(own.length - resized.length, 'parameter')} kept as they are, ${resized.length} resized${resized.length > 0 ? how : ''}. ` +
      (added.length > 0 ? `New, with their first values: ${added.join(', ')}.` : 'None is new.'),
    `${describePositions(from, to)} The moments of the optimizer ${moments}.`,
  ];
}

function describePositions({ model: from }: RunConfig, { model: to }: RunConfig): string {
  if (!hasPatches(from) || !hasPatches(to)) return '';
  const gridOf = ({ imageSize, patchSize }: typeof from): string =>
    imageSize.map((side) => side / patchSize).join('x');
  const [before, now] = [gridOf(from), gridOf(to)];
  const { positions = 'grid', positionGrid } = to;
  const where = positions === 'grid' ? 'by whole numbers' : `${positions} over ${positionGrid!.join('x')}`;
  if (before === now && (from.positions ?? 'grid') === positions)
    return `Tokens are ${now} as before, at the same places.`;
  return `Tokens were ${before} and are ${now} now: their positions are computed anew, ${where}.`;
}

/** What the weights lost as they were, and what they lose at the size that they have grown to. */
export function describeLosses(
  { model: from }: RunConfig,
  before: CheckpointLoss,
  { model: to }: RunConfig,
  after: CheckpointLoss,
): string {
  const { samples, areHeldOut } = after;
  const sizeOf = (model: RunConfig['model']): string => (hasPatches(model) ? model.imageSize.join('x') : '');
  const shown = ({ loss, lossEma }: CheckpointLoss): string =>
    `${loss.toPrecision(3)} (with EMA weights ${lossEma.toPrecision(3)})`;
  return (
    `The loss on ${counted(samples, areHeldOut ? 'held-out sample' : 'sample')}, at the same times, was ${shown(before)} ` +
    `at ${sizeOf(from)}, and is ${shown(after)} at ${sizeOf(to)} before the first step there.`
  );
}
