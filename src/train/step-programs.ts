// The programs of a step, traced once for each shape and each way of dividing it: to estimate what they take, and to compile them.
import type { Program } from '../program/index.ts';
import { type Shape, sameShape } from '../tensor/shape.ts';
import { type TrainingStep, partProgram, partsOf, trainingStepProgram, updateProgram } from './step.ts';

/** One program, or one for each part of a step and one that ends it. */
export type Programs = readonly [whole: Program] | readonly [part: Program, update: Program];

/** A step that learns from samples of another shape than the task's own. */
export interface StepOfShape {
  readonly sampleShape: Shape;
  /** The same but for how many samples it learns from. */
  readonly training: TrainingStep;
}

export interface StepProgramsOptions {
  /** Whether other processes add to the gradients before the update: then it is a program of its own. */
  readonly isReduced?: boolean | undefined;
  /** What is known of other shapes of samples before any is met; a shape that is not among them has steps of as many samples. */
  readonly others?: readonly StepOfShape[] | undefined;
}

export class StepPrograms {
  readonly training: TrainingStep;
  readonly #isReduced: boolean;
  readonly #others: readonly StepOfShape[];
  readonly #traced = new Map<string, Programs>();

  constructor(training: TrainingStep, { isReduced = false, others = [] }: StepProgramsOptions = {}) {
    this.training = training;
    this.#isReduced = isReduced;
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
   * How many samples of a shape are computed at a time: steps of all shapes are divided into as many parts.
   * @param microBatch that of the task's own shape
   */
  microBatchOf(microBatch: number, sampleShape: Shape): number {
    const { batch } = this.training;
    const { batch: wanted } = this.stepOf(sampleShape);
    const own = Math.min(microBatch, batch);
    return wanted === batch ? own : Math.ceil(wanted / partsOf(this.training, own));
  }

  /** @param microBatch samples of the task's own shape that are computed at a time */
  of(microBatch: number, sampleShape: Shape = this.training.task.sampleShape): Programs {
    const training = this.stepOf(sampleShape);
    const size = this.microBatchOf(microBatch, sampleShape);
    const key = `${size} of ${sampleShape.join(' ')}`;
    const traced = this.#traced.get(key) ?? this.#trace(training, size, sampleShape);
    this.#traced.set(key, traced);
    return traced;
  }

  #trace(training: TrainingStep, microBatch: number, sampleShape: Shape): Programs {
    const isOne = microBatch >= training.batch && !this.#isReduced;
    if (isOne) return [trainingStepProgram(training, sampleShape)];
    const part = partProgram(training, microBatch, sampleShape);
    return [part, updateProgram(training, part)];
  }
}
