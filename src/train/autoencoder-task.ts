// Learning to make pictures of their own latents (Kingma & Welling 2014; Rombach et al. 2022).
import type { AutoencoderModel } from '../models/autoencoder-model.ts';
import { drawLatents, posteriorDivergence } from '../models/autoencoders/autoencoder.ts';
import { declareParameters } from '../nn/parameters.ts';
import { abs, add, affine, clamp, mean, mul, square, sub, sum } from '../ops/index.ts';
import { type Program, trace } from '../program/index.ts';
import { internalError } from '../tensor/errors.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { LossBatch, Task } from './task.ts';

export interface AutoencoderTask {
  readonly model: AutoencoderModel;
  /** N(0, 1) of the latents that pictures are made of again, of their shape [B, z, h, w]; without it they are the means. */
  readonly noise?: ((batch: LossBatch, shape: Shape) => Tensor) | undefined;
  /** Whether the squared error is told too, of pictures as they are shown: cut off at [-1, 1]. Not by default. */
  readonly isMeasured?: boolean;
}

/**
 * The loss of a picture is the mean absolute error plus klWeight times KL(posterior || N(0, 1)), which is divided by the number of the
 * picture's values, too: a weight means the same at every size. Inputs: x0 [B, C, H, W] in [-1, 1]. Beside their losses the samples' parts
 * are told, `reconstruction` and `kl`, which is without its weight.
 */
export function autoencoderTask({ model, noise, isMeasured = false }: AutoencoderTask): Task {
  const { autoencoder, klWeight } = model;
  return {
    module: model,
    sampleShape: model.sampleShape,
    inputs: (shape) => [{ name: 'x0', shape, dtype: 'float32' }],
    loss(_graph, params, batch) {
      const x0 = batch.inputs['x0']!;
      const { mean: middle, logVariance } = autoencoder.encode(params, x0);
      if (logVariance === undefined) throw internalError('an autoencoder that is certain has no KL to learn');
      const posterior = { mean: middle, logVariance };
      const latents = noise ? drawLatents(posterior, noise(batch, middle.shape)) : middle;
      const made = autoencoder.decode(params, latents);
      const reconstruction = meanOfSamples(abs(sub(made, x0)));
      const kl = affine(posteriorDivergence(posterior), 1 / sizeOf(x0.shape.slice(1)), 0);
      const losses = add(reconstruction, affine(kl, klWeight, 0));
      const { sampleWeights } = batch;
      const loss = sampleWeights ? sum(mul(sampleWeights, losses)) : mean(losses);
      const squaredError = isMeasured && meanOfSamples(square(sub(clamp(made, -1, 1), x0)));
      return {
        loss,
        minimised: loss,
        ofSamples: { losses, reconstruction, kl, ...(squaredError && { squaredError }) },
      };
    },
  };
}

/** [B, ...] -> [B] */
function meanOfSamples(x: Tensor): Tensor {
  return mean(
    x,
    x.shape.slice(1).map((_, axis) => axis + 1),
  );
}

/** Pictures of the means of their latents: the input x0 and the output pictures are [B, C, H, W]. */
export function reconstructionProgram({ autoencoder, parameters }: AutoencoderModel, x0: Shape): Program {
  return trace('reconstruction', (graph) => {
    const params = declareParameters(graph, parameters);
    const { mean: latents } = autoencoder.encode(params, graph.input('x0', x0));
    return { pictures: autoencoder.decode(params, latents) };
  });
}
