// The programs of a step, traced once for each shape and each way of dividing it: to estimate what they take, and to compile them.
import type { Program } from '../program/index.ts';
import { type Shape, sameShape } from '../tensor/shape.ts';
import { type Division, divide } from './division.ts';
import { isWhole } from './ranks/ownership.ts';
import { type TrainingStep, normsProgram, partProgram, trainingStepProgram, updateProgram } from './step.ts';

/** One program, or several. */
export type Programs = WholeStep | DividedStep;

export interface WholeStep {
  readonly whole: Program;
}

export interface DividedStep {
  /** Runs for each part of a step. */
  readonly part: Program;
  /** What a rank tells others, where there are any. */
  readonly norms?: Program | undefined;
  /** Ends the step. */
  readonly update: Program;
}

/** In the order in which they run. */
export function allPrograms(programs: Programs): Program[] {
  if ('whole' in programs) return [programs.whole];
  const { part, norms, update } = programs;
  return [part, ...(norms ? [norms] : []), update];
}

/** A step that learns from samples of another shape than the task's own. */
export interface StepOfShape {
  readonly sampleShape: Shape;
  /** The same but for how many samples it learns from. */
  readonly training: TrainingStep;
}

export interface StepProgramsOptions {
  /** What is known of other shapes of samples before any is met; a shape that is not among them has steps of as many samples. */
  readonly others?: readonly StepOfShape[] | undefined;
}

export class StepPrograms {
  readonly training: TrainingStep;
  readonly #others: readonly StepOfShape[];
  readonly #traced = new Map<string, Programs>();
  #norms: Program | undefined;

  constructor(training: TrainingStep, { others = [] }: StepProgramsOptions = {}) {
    this.training = training;
    this.#others = others;
  }

  /** All that are known beforehand, the task's own first. */
  get shapes(): readonly Shape[] {
    return [this.training.task.sampleShape, ...this.#others.map(({ sampleShape }) => sampleShape)];
  }

  /** What a step of samples of a shape is. */
  stepOf(sampleShape: Shape): TrainingStep {
    return this.#others.find((each) => sameShape(each.sampleShape, sampleShape))?.training ?? this.training;
  }

  /**
   * How a step of samples of a shape is divided: steps of all shapes into as many parts.
   * @param microBatch samples of the task's own shape that are computed at a time
   */
  divisionOf(microBatch: number, sampleShape: Shape): Division {
    const own = divide(this.training, microBatch);
    const step = this.stepOf(sampleShape);
    const shardSize = step.batch / own.shards;
    return divide(step, shardSize === own.shardSize ? own.size : Math.ceil(shardSize / own.partsOfShard));
  }

  /** @param microBatch samples of the task's own shape that are computed at a time */
  of(microBatch: number, sampleShape: Shape = this.training.task.sampleShape): Programs {
    const training = this.stepOf(sampleShape);
    const { size } = this.divisionOf(microBatch, sampleShape);
    const key = `${size} of ${sampleShape.join(' ')}`;
    const traced = this.#traced.get(key) ?? this.#trace(training, size, sampleShape);
    this.#traced.set(key, traced);
    return traced;
  }

  #trace(training: TrainingStep, microBatch: number, sampleShape: Shape): Programs {
    const { batch, shards = 1, own } = training;
    const hasOthers = own !== undefined && !isWhole(own);
    if (microBatch >= batch && shards === 1 && !hasOthers)
      return { whole: trainingStepProgram(training, sampleShape) };
    const part = partProgram(training, microBatch, sampleShape);
    const norms = hasOthers ? (this.#norms ??= normsProgram(training)) : undefined;
    return { part, norms, update: updateProgram(training, part) };
  }
}
