import { type TimeDistribution, sampleTimes } from '../flow/time-sampling.ts';
import type { ConditionSpec, Conditions } from '../models/model.ts';
import { type PhiloxKey, conditionDropout, constant, philoxNormal, philoxUniform } from '../ops/index.ts';
import { streams } from '../tensor/random-streams.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { LossBatch } from './task.ts';

/** What a step knows before it draws: x0 [B, ...], the model's conditions [B, ...], and which samples of which step they are. */
export interface Undrawn extends Pick<LossBatch, 'step' | 'firstSample'> {
  readonly x0: Tensor;
  /** Noise that the samples were made of: that which they are mixed with, where they have any. */
  readonly x1?: Tensor | undefined;
  readonly conditions: Conditions;
}

/** Makes a step's noise x1 [B, ...] and times t [B], and the conditions that the model gets to see. */
export type Draw = (batch: Undrawn) => { x1: Tensor; t: Tensor; conditions: Conditions };

export interface RandomDraw {
  readonly seed: number;
  readonly times: TimeDistribution;
  /** The probability of training a sample as one of which nothing is told, for guidance. */
  readonly labelDropout: number;
  /** Those of the model: they say what being told nothing is. */
  readonly conditions: readonly ConditionSpec[];
  /** Samples of the global batch; by default those here. */
  readonly globalBatch?: number | undefined;
}

/** Draws by (seed, step, index of the sample in the global batch), so that a run can be resumed or split over machines. */
export function randomDraw({
  seed,
  times,
  labelDropout: probability,
  conditions: specs,
  globalBatch,
}: RandomDraw): Draw {
  return ({ x0, x1, conditions, step, firstSample: first }) => {
    const batch = x0.shape[0]!;
    const firstSample = first();
    const key = (stream: number): PhiloxKey => ({ seed, stream, firstSample });
    // One draw for all that is told of a sample.
    const dropAll = (): Conditions => {
      const u = philoxUniform(step, [batch], key(streams.labelDropout));
      const drop = ({ name, shape, dtype, absent, always }: ConditionSpec): [string, Tensor] => {
        if (always) return [name, conditions[name]!];
        const none = constant(u, shape, Float64Array.from(absent), dtype);
        return [name, conditionDropout(conditions[name]!, u, none, probability)];
      };
      return Object.fromEntries(specs.map(drop));
    };
    return {
      x1: x1 ?? philoxNormal(step, x0.shape, key(streams.noise)),
      t: sampleTimes(times, step, batch, key(streams.time), globalBatch),
      conditions: specs.length > 0 && probability > 0 ? dropAll() : conditions,
    };
  };
}

/** Takes x1 and t as two further inputs of the program, and conditions as they are: for comparisons with other systems. */
export const givenDraw: Draw = ({ x0, conditions }) => ({
  x1: x0.graph.input('x1', x0.shape),
  t: x0.graph.input('t', [x0.shape[0]!]),
  conditions,
});
