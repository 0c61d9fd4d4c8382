// What a run of a velocity does: it learns an objective, and shows samples that come out of noise.
import type { ImageShape } from '../data/source.ts';
import { describeTold } from '../data/told.ts';
import type { Buffers } from '../backends/backend.ts';
import { type Objective, samplerOf } from '../flow/objective.ts';
import { FlowSampler, batchesOf } from '../flow/sample.ts';
import { velocityInPlace } from '../flow/velocity-program.ts';
import type { TimeDistribution } from '../flow/time-sampling.ts';
import type { ConditionSpec, VelocityModel } from '../models/model.ts';
import type { Program } from '../program/index.ts';
import type { HostArray } from '../tensor/dtype.ts';
import { disposeAll } from '../tensor/lifetime.ts';
import { philoxNormal } from '../tensor/philox.ts';
import { streams } from '../tensor/random-streams.ts';
import { sameShape, sizeOf } from '../tensor/shape.ts';
import { coupledNoise } from './coupled-noise.ts';
import { givenDraw, randomDraw } from './draw.ts';
import { type OwnFlow, objectiveOf, timesOf } from './objective.ts';
import { makeOrdered } from './make-ordered.ts';
import type { GridMaker, GridRun, GridTask, HeldOutSamples, HeldOutTask, RunTask } from './run-task.ts';
import {
  type GridSamplers,
  gridBatch,
  gridBytes,
  gridCount,
  gridRows,
  sampleGrid,
  sampleSizes,
} from './sample-grid.ts';
import type { TrainingConfig } from './settings.ts';
import { lossByTime } from './step-outputs.ts';
import type { Task } from './task.ts';
import { velocityTask } from './velocity-task.ts';
import { weightSetsOf } from './ranks/weight-sets.ts';

/** What of a config a run of a velocity depends on. */
export type VelocityRunConfig = Pick<TrainingConfig, 'seed' | 'flow' | 'train' | 'sample'>;

/**
 * @param own what the config calls custom
 * @throws RectiflowError where that is missing
 */
export function velocityRun(config: VelocityRunConfig, model: VelocityModel, own: OwnFlow = {}): RunTask {
  const times = timesOf(config.flow, own);
  const objective = objectiveOf(config, own);
  return {
    step: stepTask(config, model, objective, times),
    told: {
      names: ['losses', 'times'],
      metrics: (values) => ({ lossByTime: lossByTime(values['losses']!, values['times']!) }),
    },
    heldOut: heldOutTask(config, model, objective),
    grid: gridTask(config, model, objective),
    describeTold,
  };
}

function stepTask(
  { seed, flow, train }: VelocityRunConfig,
  model: VelocityModel,
  objective: Objective,
  times: TimeDistribution,
): Task {
  const draw = randomDraw({
    seed,
    times,
    labelDropout: flow.labelDropout,
    conditions: model.conditions,
    globalBatch: train.batchSize,
  });
  return velocityTask({ model, draw, objective, coupling: flow.coupling });
}

/** Each sample always with the same noise and time. Times are spread evenly over [0, 1]. */
function heldOutTask(
  { seed, flow }: VelocityRunConfig,
  model: VelocityModel,
  objective: Objective,
): HeldOutTask {
  const isUnconditional = model.conditions.some(({ always }) => !always) && flow.labelDropout > 0;
  return {
    task: velocityTask({ model, objective, draw: givenDraw }),
    given({ first, count, rows, sampleShape, annotations }: HeldOutSamples) {
      const noise = {
        seed,
        stream: streams.heldOutNoise,
        step: 0,
        firstSample: first,
        samples: rows,
        elements: sizeOf(sampleShape),
      };
      return {
        x1: Float32Array.from(philoxNormal(noise)),
        t: Float32Array.from({ length: rows }, (_, i) => Math.min(1, (first + i + 0.5) / count)),
        ...coupledNoise(flow, annotations),
      };
    },
    untold: isUnconditional ? (rows) => absentConditions(model, rows) : undefined,
  };
}

/** What `rows` samples are told of which nothing is told. */
function absentConditions({ conditions }: VelocityModel, rows: number): Record<string, HostArray> {
  const repeated = ({ dtype, absent }: ConditionSpec): HostArray =>
    new (dtype === 'int32' ? Int32Array : Float32Array)(Array.from({ length: rows }, () => absent).flat());
  const left = conditions.filter(({ always }) => !always);
  return Object.fromEntries(left.map((spec) => [spec.name, repeated(spec)]));
}

function gridTask(config: VelocityRunConfig, model: VelocityModel, objective: Objective): GridTask {
  const { sample } = config;
  return {
    programs(shapes): readonly Program[] {
      const { size } = batchesOf(gridCount(sample), gridBatch(config));
      const others = shapes.filter((shape) => !sameShape(shape, model.sampleShape));
      const { size: ofOthers } = batchesOf(sample.perClass, gridBatch(config));
      const isGuided = sample.guidance !== 1 && gridRows(sample).length > 0;
      const [low, high] = sample.guidanceInterval;
      const kinds = !isGuided ? [false] : low > 0 || high < 1 ? [false, true] : [true];
      const velocities = kinds.map((guided) => velocityInPlace(model, size, guided, objective));
      const elsewhere = others.flatMap((shape) =>
        kinds.map((guided) => velocityInPlace(model, ofOthers, guided, objective, shape)),
      );
      return [...velocities, ...(sample.gridWeights === 'both' ? velocities : []), ...elsewhere];
    },
    bytes(picture) {
      // The sampler dopri5 goes on from the last step's velocity.
      const evaluationsPerStep = samplerOf(objective, sample.sampler).evaluationsPerStep ?? 6;
      return gridBytes(config, sizeOf(model.sampleShape), evaluationsPerStep, picture);
    },
    open: (run) => openGrid(config, model, objective, run),
  };
}

function openGrid(
  config: VelocityRunConfig,
  model: VelocityModel,
  objective: Objective,
  { backend, buffers, conditioning, source, communicator, exchange }: GridRun,
): GridMaker {
  const sets = weightSetsOf(model, buffers, exchange);
  const batchSize = gridBatch(config);
  const made = new Map<Buffers, FlowSampler>();
  const sampler = (weights: string): FlowSampler => {
    const of = sets.buffersOf(weights);
    if (!made.has(of)) made.set(of, new FlowSampler(backend, model, of, { objective, batchSize }));
    return made.get(of)!;
  };
  const samplers: GridSamplers = { batchSize, sampler, sets, communicator };
  const told = { conditioning, classNames: source.classNames };
  const sizes = (source.sizes?.shapes ?? []) as readonly ImageShape[];
  return {
    async make(signal) {
      const grid = await sampleGrid(samplers, model.sampleShape as ImageShape, config, told, signal);
      return sizes.length === 0
        ? grid
        : { ...grid, sizes: await sampleSizes(samplers, sizes, config, told, signal) };
    },
    makeOrdered: (order, signal) => {
      const { size } = batchesOf(gridCount(config.sample), batchSize);
      return makeOrdered(samplers, size, model.sampleShape, order, conditioning, signal);
    },
    dispose: () => disposeAll(made.values()),
  };
}
