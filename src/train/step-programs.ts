// The programs of a step, traced once for each shape and each way of dividing it: to estimate what they take, and to compile them.
import type { Program } from '../program/index.ts';
import type { Shape } from '../tensor/shape.ts';
import { type TrainingStep, partProgram, trainingStepProgram, updateProgram } from './step.ts';

/** One program, or one for each part of a step and one that ends it. */
export type Programs = readonly [whole: Program] | readonly [part: Program, update: Program];

export class StepPrograms {
  readonly training: TrainingStep;
  readonly #isReduced: boolean;
  readonly #traced = new Map<string, Programs>();

  /** @param isReduced whether other processes add to the gradients before the update: then it is a program of its own */
  constructor(training: TrainingStep, isReduced = false) {
    this.training = training;
    this.#isReduced = isReduced;
  }

  /** @param microBatch samples that are computed at a time */
  of(microBatch: number, sampleShape: Shape = this.training.task.sampleShape): Programs {
    const key = `${Math.min(microBatch, this.training.batch)} of ${sampleShape.join(' ')}`;
    const traced = this.#traced.get(key) ?? this.#trace(microBatch, sampleShape);
    this.#traced.set(key, traced);
    return traced;
  }

  #trace(microBatch: number, sampleShape: Shape): Programs {
    const { training } = this;
    const isOne = microBatch >= training.batch && !this.#isReduced;
    if (isOne) return [trainingStepProgram(training, sampleShape)];
    const part = partProgram(training, Math.min(microBatch, training.batch), sampleShape);
    return [part, updateProgram(training, part)];
  }
}
