// What of a step's state is here, as the files of a checkpoint have it: all of it, or of each tensor the elements that a rank owns.
import type { Buffer, Buffers } from '../backends/backend.ts';
import type { Module } from '../nn/module.ts';
import { optimizerOf, slotTensor } from '../optim/optimizer.ts';
import type { Shape } from '../tensor/shape.ts';
import { sizeOf } from '../tensor/shape.ts';
import { averageTensor, parseAverageTensor } from './averages.ts';
import { type Ownership, type Range, isWhole, ownedRange, ownsAll } from './ranks/ownership.ts';
import type { CheckpointPart } from './run-store.ts';
import { type TrainingStep, isTotal } from './step.ts';

/** A training step's state. */
export interface StepState {
  /** What it trains. */
  readonly model: Module;
  /** Weights, moments and averages. */
  readonly buffers: Buffers;
  readonly extent?: StateExtent | undefined;
}

/** Which state there is in all, and how much of it is here. */
export interface StateExtent {
  /** All of it by default. */
  readonly own?: Ownership | undefined;
  /** The shapes of all tensors, by `stateShapes`: of some that are cut up nothing is here. By default those of the buffers. */
  readonly shapes?: ReadonlyMap<string, Shape> | undefined;
}

/** A tensor of the state. */
export interface OwnedTensor {
  /** Of the whole. */
  readonly shape: Shape;
  /** Which elements of it the buffer has. */
  readonly held: Range;
  /** Those of them that are this process's own to write. */
  readonly own: Range;
  /** Undefined where it has none. */
  readonly buffer: Buffer | undefined;
}

export type OwnedTensors = ReadonlyMap<string, OwnedTensor>;

/** The tensors of a step's state that last from step to step, whole, whoever owns how much of them. */
export function stateShapes({
  task,
  optimizers,
  averages = [],
}: Pick<TrainingStep, 'task' | 'optimizers' | 'averages'>): ReadonlyMap<string, Shape> {
  return new Map(
    task.module.parameters.flatMap((parameter) => {
      const { name, shape } = parameter;
      const optimizer = optimizerOf(optimizers, parameter);
      const names = [
        name,
        ...optimizer.slots.map((slot) => slotTensor(optimizer, slot, name)),
        ...[undefined, ...averages].map((average) => averageTensor(average, name)),
      ];
      return names.map((tensor) => [tensor, shape] as const);
    }),
  );
}

/** What each file of a checkpoint holds, by the names that it has there. Of weights every rank has all, of the others its own part. */
export function partsOf({
  model: { parameters },
  buffers,
  extent: { own = ownsAll(), shapes = shapesOf(buffers) } = {},
}: StepState): Readonly<Record<CheckpointPart, OwnedTensors>> {
  const ofName = (name: string, isWeight = false): OwnedTensor => {
    const shape = shapes.get(name)!;
    const range = ownedRange(shape, own);
    const held = isWeight ? { start: 0, end: sizeOf(shape) } : range;
    return { shape, held, own: range, buffer: buffers.get(name) };
  };
  const names = [...shapes.keys()];
  const isAverage = (name: string): boolean => parseAverageTensor(name) !== undefined;
  const others = new Set(parameters.flatMap(({ name }) => [name, averageTensor(undefined, name)]));
  const isSlot = (name: string): boolean => !others.has(name) && !isAverage(name) && !isTotal(name);
  const all = (kept: readonly string[]): OwnedTensors => new Map(kept.map((name) => [name, ofName(name)]));
  return {
    model: new Map(parameters.map(({ name }) => [name, ofName(name, true)])),
    ema: new Map(parameters.map(({ name }) => [name, ofName(averageTensor(undefined, name))])),
    optimizer: all(names.filter(isSlot)),
    averages: all(names.filter(isAverage)),
  };
}

function shapesOf(buffers: Buffers): ReadonlyMap<string, Shape> {
  return new Map([...buffers].map(([name, { shape }]) => [name, shape]));
}

/** Whether what is here of it are pieces of tensors. */
export function isDivided({ extent: { own = ownsAll() } = {} }: Pick<StepState, 'extent'>): boolean {
  return !isWhole(own);
}
