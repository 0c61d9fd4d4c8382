import { type AdamWArguments, type AdamWSettings, adamw } from '../ops/index.ts';
import type { Shape } from '../tensor/shape.ts';

export type { AdamWSettings };

/** What one step of the optimizer reads and changes for one parameter. */
export type Moments = Pick<AdamWArguments, 'param' | 'grad' | 'm' | 'v' | 'ema'>;

/** The scalars of a step, the same for all parameters. */
export type StepScalars = Pick<
  AdamWArguments,
  'gradScale' | 'learningRate' | 'step' | 'emaWeight' | 'counts'
>;

/** The public release's settings, of Kingma & Ba 2015, without weight decay. */
export const adamwDefaults: AdamWSettings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/**
 * Which parameters weight decay makes smaller: all of them, as in the public release, or those of two axes and more (matrices,
 * kernels, tables). The others are biases, which bound nothing by being small.
 */
export type DecayedParameters = 'all' | 'matrices';

export function isDecayed(shape: Shape, decayed: DecayedParameters): boolean {
  return decayed === 'all' || shape.length >= 2;
}

/** Appends the update of every parameter, its moments and its average to the trace. */
export function updateParameters(
  parameters: readonly Moments[],
  scalars: StepScalars,
  settings: AdamWSettings,
  decayed: DecayedParameters = 'all',
): void {
  const undecayed = { ...settings, weightDecay: 0 };
  for (const parameter of parameters) {
    const { shape } = parameter.param;
    adamw({ ...parameter, ...scalars }, isDecayed(shape, decayed) ? settings : undecayed);
  }
}
