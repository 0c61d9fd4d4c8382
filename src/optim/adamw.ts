import { type AdamWSettings, adamw as recordUpdate, add, div, mul, sqrt } from '../ops/index.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Optimizer, ParameterGroup } from './optimizer.ts';

export type { AdamWSettings };

/** The public release's settings, of Kingma & Ba 2015, without weight decay. */
export const adamwDefaults: AdamWSettings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/** AdamW (Loshchilov & Hutter 2019). */
export function adamw(settings: AdamWSettings = adamwDefaults): Optimizer {
  const { beta1, beta2, epsilon, weightDecay } = settings;
  const correction = (update: number): number => Math.sqrt(1 - beta2 ** update);
  const size = (update: number): number => correction(update) / (1 - beta1 ** update);
  return {
    name: 'adamw',
    slots: [
      { name: 'm', label: 'first moment', of: 'gradients' },
      { name: 'v', label: 'second moment', of: 'squares' },
    ],
    update({ param, grad, slots }, { update: step, ...scalars }) {
      recordUpdate({ param, grad, m: slots['m']!, v: slots['v']!, step, ...scalars }, settings);
    },
    // Weights w become (1 - rate decay) w - rate u, with u = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon), so that the weights
    // after it tell the change as well: -rate (u + decay w) / (1 - rate decay).
    retrace: {
      scalars: (update) => ({
        epsilon: epsilon * correction(update),
        ...(weightDecay > 0 && { decay: weightDecay / size(update) }),
      }),
      direction(param, { m, v }, scalars) {
        const direction = div(m!, add(sqrt(v!), scalars['epsilon']!));
        return scalars['decay'] ? add(direction, mul(param, scalars['decay'])) : direction;
      },
      multiple: (update, rate) => (rate * size(update)) / (1 - rate * weightDecay),
    },
  };
}

/**
 * Which parameters weight decay makes smaller: all of them, as in the public release, or those of two axes and more (matrices,
 * kernels, tables). The others are biases, which bound nothing by being small.
 */
export type DecayedParameters = 'all' | 'matrices';

/** AdamW for all parameters, with weight decay for some. */
export function adamwGroups(settings: AdamWSettings, decayed: DecayedParameters = 'all'): ParameterGroup[] {
  const isDecayed = (shape: Shape): boolean => decayed === 'all' || shape.length >= 2;
  return [
    { optimizer: adamw(settings), has: ({ shape }) => isDecayed(shape) },
    { optimizer: adamw({ ...settings, weightDecay: 0 }), has: () => true },
  ];
}
