import {
  labelEmbedder,
  labelEmbedderParameters,
  linearLayer,
  linearParameters,
} from '../../src/nn/layers.ts';
import { type VelocityModel, labelCondition } from '../../src/models/model.ts';
import { add, mul, reshape } from '../../src/ops/index.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { tinyStripes } from './tiny-run.ts';

const { channels, imageSize, classes } = tinyStripes.model;
const sampleShape = [channels, ...imageSize];
const size = sizeOf(sampleShape);

/** A model of `stripes` of one layer, which takes a third of the kernels of a transformer: for what depends on no model. */
export const plainModel: VelocityModel = {
  sampleShape,
  conditions: labelCondition(classes),
  parameters: [...linearParameters('layer', size, size), ...labelEmbedderParameters('label', classes, size)],
  cost: { forward: 2 * size ** 2, training: 6 * size ** 2 },
  velocity(params, x, t, { labels }) {
    const [samples] = x.shape as [number];
    const known = add(
      linearLayer(params, 'layer', reshape(x, [samples, size])),
      labelEmbedder(params, 'label', labels!),
    );
    return reshape(mul(known, reshape(t, [samples, 1])), x.shape);
  },
};
