// What a run of an autoencoder does: it learns pictures, and shows them above what it makes of them.
import { describeUntold } from '../data/told.ts';
import type { AutoencoderModel } from '../models/autoencoder-model.ts';
import { philoxNormal } from '../ops/index.ts';
import { streams } from '../tensor/random-streams.ts';
import { autoencoderTask } from './autoencoder-task.ts';
import { reconstructionGrid } from './reconstruction-grid.ts';
import type { RunTask } from './run-task.ts';
import type { TrainingConfig } from './settings.ts';

/** Noise of latents is drawn by (seed, step, index of the sample in the global batch), as all that is random in a step. */
export function autoencoderRun(
  config: Pick<TrainingConfig, 'seed' | 'sample' | 'loader'>,
  model: AutoencoderModel,
): RunTask {
  const { seed } = config;
  return {
    step: autoencoderTask({
      model,
      noise: ({ step, firstSample }, shape) =>
        philoxNormal(step, shape, { seed, stream: streams.posterior, firstSample: firstSample() }),
    }),
    told: {
      names: ['reconstruction', 'kl'],
      metrics: ({ reconstruction, kl }) => ({
        lossParts: { reconstruction: meanOf(reconstruction!), kl: meanOf(kl!) },
      }),
    },
    heldOut: {
      task: autoencoderTask({ model, isMeasured: true }),
      given: () => ({}),
      quality: {
        names: ['reconstruction', 'squaredError'],
        metrics: ({ reconstruction, squaredError }) => ({
          heldOutL1: meanOf(reconstruction!),
          heldOutPsnr: meanOf(Array.from(squaredError!, decibels)),
        }),
      },
    },
    grid: reconstructionGrid(config, model),
    describeTold: describeUntold,
  };
}

function meanOf(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}

/** The peak signal-to-noise ratio of pictures in [-1, 1]: 10 log10(2^2 / mean squared error). */
function decibels(squaredError: number): number {
  return 10 * Math.log10(4 / squaredError);
}
