// What training will take, from programs that are lowered and planned but not compiled: nothing of that size is allocated.
import type { Backend, DeviceNeeds } from '../backends/backend.ts';
import { type Source, imageSize } from '../data/source.ts';
import type { SampleModel } from '../models/model.ts';
import { type Program, bytesOf, placeBeside, planMemory } from '../program/index.ts';
import { grouped } from '../tensor/counted.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { TrainingConfig } from './settings.ts';
import { heldOutBatch, heldOutProgram } from './held-out-batches.ts';
import { insightProgram } from './insight.ts';
import { optimizersOf, runTaskOf } from './run-program.ts';
import type { RunTask } from './run-task.ts';
import { type SampleDecoder, shownShape } from './sample-decoder.ts';
import { isTotal } from './step.ts';
import { type StepPrograms, allPrograms } from './step-programs.ts';
import { type StepProgramsOf, batchSizeOf, stepPrograms } from './step-shapes.ts';
import { ownedRange } from './ranks/ownership.ts';
import { type Share, wholeShare } from './ranks/share.ts';

/** Bytes, and what they are for. */
export interface MemoryParts {
  /** What the process has already, libraries and the data's own files included, and what it grows by beside all that follows. */
  readonly process: number;
  /** Weights, moments, averages and, with micro-batches, the gradients that are accumulated. */
  readonly state: number;
  /** What is made on the way, activations and gradients: the arena of the largest program, which all others share. */
  readonly activations: number;
  /** What kernels make on their way: of the most demanding program, which all others share. */
  readonly scratch: number;
  /** The copy of the state that checkpoints are written from, where one is made. */
  readonly snapshot: number;
  /**
   * Batches on their way to the step, what goes into programs and comes out, the samples of a grid, and decoded samples
   * that are kept.
   */
  readonly data: number;
}

export interface MemoryEstimate extends MemoryParts {
  /** Of the memory of the machine: all parts, without those that lie on a device which has memory of its own. */
  readonly total: number;
  /** Of a checkpoint, on the disk. */
  readonly checkpoint: number;
  /** Where a device computes, such as a GPU. */
  readonly device?: DeviceEstimate;
}

/** In bytes. */
export interface DeviceEstimate {
  /** What lies there: state, activations and scratch. */
  readonly bytes: number;
  /** The largest value, and the largest that the device allows. */
  readonly largest: number;
  readonly most: number;
  /** Whether it has memory of its own, of which nobody knows how much; else that is the machine's. */
  readonly isSeparate: boolean;
}

/** Of the memory in which programs compute: the device's, or the machine's. */
export function bytesTaken({ total, device }: MemoryEstimate): number {
  return device?.isSeparate ? device.bytes : total;
}

/** What is known of the data that a run learns from. */
export type DataFacts = Pick<Source, 'count' | 'isFixed' | 'record' | 'sizes'>;

/** Arrays that wait to be collected, threads, what is loaded later: measured, by bench/memory.ts. */
const growth = 64 * 2 ** 20;

export interface EstimateOptions extends StepProgramsOf {
  readonly config: TrainingConfig;
  readonly backend: Backend;
  readonly model: SampleModel;
  readonly source: DataFacts;
  /** Makes pictures of samples that are none. */
  readonly decoder?: SampleDecoder | undefined;
  /** Of the step that the config describes, where they are needed again. */
  readonly programs?: StepPrograms | undefined;
  /** Samples that are computed at a time. */
  readonly microBatch: number;
  /** Of the samples that are trained on, where it is one; those of the source by default, else the model's. */
  readonly sampleShape?: Shape | undefined;
  /** Whether checkpoints are written beside training, from a copy of the state; true by default. */
  readonly savesBeside?: boolean;
  /** Bytes that the process has before anything of the training is allocated; 0 by default. */
  readonly held?: number;
}

/** The process at its peak, with all that a run does beside its steps. */
export function estimateMemory(options: EstimateOptions): MemoryEstimate {
  const { config, backend, model, microBatch, sampleShape, source } = options;
  const { programs = stepPrograms(config, model, source.sizes, options) } = options;
  const shapes = sampleShape ? [sampleShape] : programs.shapes;
  const { savesBeside = true, held = 0 } = options;
  const lowered = (program: Program): Program => backend.lower(program);
  const steps = shapes.flatMap((shape) => allPrograms(programs.of(microBatch, shape))).map(lowered);
  const task = runTaskOf(config, model, options);
  const others = otherPrograms(options, task, shapes).map(lowered);
  const state = new Map(
    steps.flatMap((program) => program.state.map((tensor) => [tensor.name!, bytesOf(tensor)])),
  );
  const { share = wholeShare(config.train) } = options;
  const checkpoint = checkpointBytes(model, state, share);
  const programsOfRun = [...steps, ...others];
  const needs = backend.deviceNeeds?.(programsOfRun);
  const plans = programsOfRun.map((program) => {
    const plan = planMemory(program);
    const scratch = backend.scratchBytes?.(program) ?? 0;
    return { arena: plan.arenaBytes, beside: placeBeside(program, plan).bytes, scratch };
  });
  const { decoder } = options;
  const shown = shownShape(model.sampleShape, source.record, decoder);
  const grid = shown ? task.grid.bytes(decoder && imageSize(shown)) + (decoder?.bytes ?? 0) : 0;
  const parts: MemoryParts = {
    process: held + growth,
    state: needs?.state ?? sum(state.values()),
    activations: needs?.values ?? Math.max(...plans.map(({ arena }) => arena)),
    scratch: needs?.scratch ?? Math.max(...plans.map(({ scratch }) => scratch)),
    snapshot: savesBeside ? checkpoint.own : 0,
    data:
      (needs ? 0 : sum(plans.map(({ beside }) => beside))) +
      loaderBytes(options, shapes) +
      grid +
      checkpoint.swapped,
  };
  const device = needs && deviceEstimate(needs);
  const elsewhere = device?.isSeparate ? device.bytes : 0;
  return {
    ...parts,
    total: sum(Object.values(parts)) - elsewhere,
    checkpoint: checkpoint.all,
    ...(device && { device }),
  };
}

/** Bytes that programs take while they run, one after the other: what is made on the way. */
export function computingBytes(backend: Backend, programs: readonly Program[]): number {
  const lowered = programs.map((program) => backend.lower(program));
  const needs = backend.deviceNeeds?.(lowered);
  if (needs) return needs.values + needs.scratch;
  return Math.max(
    ...lowered.map((program) => planMemory(program).arenaBytes + (backend.scratchBytes?.(program) ?? 0)),
  );
}

function deviceEstimate({ state, values, scratch, largest, most, isSeparate }: DeviceNeeds): DeviceEstimate {
  return { bytes: state + values + scratch, largest, most, isSeparate };
}

interface CheckpointBytes {
  /** On the disk. */
  readonly all: number;
  /** What this rank writes of it. */
  readonly own: number;
  /** What it holds twice while averages are in the place of the weights. */
  readonly swapped: number;
}

/** @param state bytes of what a step keeps, by name: of moments and averages, what is owned */
function checkpointBytes(
  { parameters }: SampleModel,
  state: ReadonlyMap<string, number>,
  { ranks, own }: Share,
): CheckpointBytes {
  const weights = sum(parameters.map(({ shape }) => 4 * sizeOf(shape)));
  const ownWeights = sum(
    parameters.map(({ shape }) => {
      const { start, end } = ownedRange(shape, own);
      return 4 * (end - start);
    }),
  );
  const kept = sum([...state].filter(([name]) => !isTotal(name)).map(([, bytes]) => bytes)) - weights;
  return {
    all: weights + (kept * weights) / ownWeights,
    own: ownWeights + kept,
    swapped: ranks > 1 ? 2 * ownWeights : 0,
  };
}

/** Batches that are ready and the one that the step learns from, all of the shape of most values; decoded samples, where they are kept. */
function loaderBytes({ config, model, source, share }: EstimateOptions, shapes: readonly Shape[]): number {
  const { prefetch, cacheMiB } = config.loader;
  const { isFixed, count, sizes } = source;
  const elements = shapes.map(sizeOf);
  const batches = shapes.map(
    (shape, i) => batchSizeOf(shape, model.sampleShape, config.train) * elements[i]!,
  );
  // Each sample is kept at all shapes that it is read at.
  const all = count * (sizes?.of ? Math.max(...elements) : sum(elements));
  const kept = isFixed && all <= cacheMiB * 2 ** 20 ? all : 0;
  return ((prefetch + 1) * 4 * Math.max(...batches)) / (share?.ranks ?? 1) + kept;
}

/** What a run does beside its steps: on logged steps, for held-out losses, for grids. */
function otherPrograms(
  { config, model, source, decoder, share = wholeShare(config.train) }: EstimateOptions,
  task: RunTask,
  shapes: readonly Shape[],
): Program[] {
  const { heldOut, optimizer, train } = config;
  const programs = [insightProgram(model, optimizersOf(optimizer), share.own)];
  if (heldOut.count > 0) {
    const batch = heldOutBatch(train, heldOut.count);
    const losses = shapes.map((shape) => heldOutProgram(batch, task.heldOut, shape));
    programs.push(...losses, ...losses);
  }
  if (shownShape(model.sampleShape, source.record, decoder)) programs.push(...task.grid.programs(shapes));
  return programs;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** `1,234 MiB` */
export function mebibytes(bytes: number): string {
  return `${grouped(Math.ceil(bytes / 2 ** 20))} MiB`;
}
