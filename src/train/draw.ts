import { type TimeDistribution, sampleTimes } from '../flow/time-sampling.ts';
import { labelDropout, philoxNormal, philoxUniform } from '../ops/index.ts';
import { streams } from '../tensor/random-streams.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** What a step knows before it draws: x0 [B, ...], labels int32 [B] for a model with classes, step int32 []. */
export interface Batch {
  readonly x0: Tensor;
  readonly labels: Tensor | undefined;
  readonly step: Tensor;
}

/** Makes a step's noise x1 [B, ...] and times t [B], and the labels that the model gets to see. */
export type Draw = (batch: Batch) => { x1: Tensor; t: Tensor; labels: Tensor | undefined };

export interface RandomDraw {
  readonly seed: number;
  readonly times: TimeDistribution;
  /** The probability of training a sample with the null label, for guidance. */
  readonly labelDropout: number;
  /** The index of the null label: the number of classes. */
  readonly nullLabel: number;
  /** The index in the global batch of the first sample here; 0 by default. */
  readonly firstSample?: number;
}

/** Draws by (seed, step, index of the sample in the global batch), so that a run can be resumed or split over machines. */
export function randomDraw({
  seed,
  times,
  labelDropout: probability,
  nullLabel,
  firstSample = 0,
}: RandomDraw): Draw {
  return ({ x0, labels, step }) => {
    const batch = x0.shape[0]!;
    const key = (stream: number): { seed: number; stream: number; firstSample: number } => ({
      seed,
      stream,
      firstSample,
    });
    const drop = (all: Tensor): Tensor =>
      labelDropout(all, philoxUniform(step, [batch], key(streams.labelDropout)), probability, nullLabel);
    return {
      x1: philoxNormal(step, x0.shape, key(streams.noise)),
      t: sampleTimes(times, step, batch, key(streams.time)),
      labels: labels && probability > 0 ? drop(labels) : labels,
    };
  };
}

/** Takes x1 and t as two further inputs of the program, and labels as they are: for comparisons with other systems. */
export const givenDraw: Draw = ({ x0, labels }) => ({
  x1: x0.graph.input('x1', x0.shape),
  t: x0.graph.input('t', [x0.shape[0]!]),
  labels,
});
