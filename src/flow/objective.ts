// What a model is trained to say, and what samplers make of it. Rectified flow is one objective, DDPM another.
import { RectiflowError } from '../tensor/errors.ts';
import { didYouMean } from '../tensor/suggest.ts';
import { mean, meanSquaredError, mul, square, sub, sum } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Integrator } from './integrator.ts';
import { type AnySamplerName, samplers } from './samplers.ts';

/** The model with its weights and conditions: x_t [B, ...] and t [B] to its output, of the shape of x_t. */
export type Network = (xt: Tensor, t: Tensor) => Tensor;

/**
 * A plain object: whoever trains may bring one. x0 are data, x1 ~ N(0, I) is noise, both [B, ...]; t is [B] in [0, 1], where 1
 * is noise.
 */
export interface Objective {
  /** For messages. */
  readonly name: string;
  /** What becomes of the times that are drawn, [B] to [B], before anything else sees them; nothing by default. */
  times?(drawn: Tensor): Tensor;
  /** x_t, what the model sees. */
  mix(x0: Tensor, x1: Tensor, t: Tensor): Tensor;
  /** What the model's output should be; the loss is the mean squared error. */
  target(x0: Tensor, x1: Tensor, t: Tensor): Tensor;
  /** How much the error of a sample counts, [B]; all the same by default. */
  weights?(t: Tensor): Tensor;
  /**
   * What the samplers are told, from the model's output (with guidance) at x_t: for those of flows the velocity dx_t/dt.
   * By default the output itself.
   */
  velocity?(output: Tensor, xt: Tensor, t: Tensor): Tensor;
  /** Those that make samples with it, by name, the default one first; those of flows where there are none. */
  readonly samplers?: Readonly<Partial<Record<AnySamplerName, Integrator>>>;
}

/** Data, noise and times of a batch. */
export interface Pairs {
  readonly x0: Tensor;
  readonly x1: Tensor;
  readonly t: Tensor;
}

/** What the mean over a batch makes of the samples' losses. */
export interface MeanLoss {
  /** The mean squared error of each sample, without weights, [B]. */
  readonly losses: Tensor;
  /** Their mean [], which can be compared with other runs' of the objective. */
  readonly loss: Tensor;
  /** The mean of weight times loss, []. */
  readonly minimised: Tensor;
}

/** @param sampleWeights [B], how much of the mean each sample is; all the same by default */
export function meanLoss(
  objective: Objective,
  network: Network,
  { x0, x1, t }: Pairs,
  sampleWeights?: Tensor,
): MeanLoss {
  const output = network(objective.mix(x0, x1, t), t);
  const target = objective.target(x0, x1, t);
  if (!objective.weights && !sampleWeights) {
    const loss = meanSquaredError(output, target);
    return { losses: sampleErrors(output, target), loss, minimised: loss };
  }
  const losses = sampleErrors(output, target);
  const average = (x: Tensor): Tensor => (sampleWeights ? sum(mul(sampleWeights, x)) : mean(x));
  const loss = average(losses);
  return { losses, loss, minimised: objective.weights ? average(mul(objective.weights(t), losses)) : loss };
}

/** The mean squared error of each sample: both [B, ...] -> [B]. */
function sampleErrors(output: Tensor, target: Tensor): Tensor {
  const error = square(sub(output, target));
  return mean(
    error,
    error.shape.slice(1).map((_, axis) => axis + 1),
  );
}

/**
 * The sampler of that name, the default one where it is undefined.
 * @throws RectiflowError that lists the samplers of the objective and guesses the one that was meant
 */
export function samplerOf({ name, samplers: own = samplers }: Objective, wanted?: string): Integrator {
  const known: Readonly<Record<string, Integrator>> = own;
  const names = Object.keys(known);
  const chosen = wanted ?? names[0]!;
  if (Object.hasOwn(known, chosen)) return known[chosen]!;
  throw new RectiflowError(
    'value',
    `sampler: must be one of ${names.join(', ')}, those of ${name}, got "${chosen}".${didYouMean(chosen, names)}`,
  );
}
