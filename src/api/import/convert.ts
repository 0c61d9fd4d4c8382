// From another system's weights to those of our model.
import {
  type DiTSizes,
  checkFit,
  negated,
  positions,
  readWeights,
  withoutSigma,
} from '../../interop/dit-weights.ts';
import type { LazyTensors } from '../../interop/weights-file.ts';
import type { StoredTensors } from '../../tensor/stored-tensor.ts';
import { DiT } from '../../models/dit.ts';
import { positionTable } from '../../nn/position-table.ts';
import type { DescribedModel } from './describe.ts';
import { counted } from '../../tensor/counted.ts';

/**
 * Reads weights under their public names and makes them say what ours say: a velocity from the data to the noise, or the noise.
 * @throws RectiflowError that lists everything that does not fit the model
 */
export async function convertWeights(
  given: LazyTensors,
  path: string,
  { learnsSigma, channels }: DiTSizes,
  { model, convention }: DescribedModel,
): Promise<StoredTensors> {
  const { width, depth, classes, imageSize, patchSize } = model;
  const halved = learnsSigma ? withoutSigma(given, channels) : given;
  const tensors = convention.isNegated ? negated(halved) : halved;
  const wanted = new Map(new DiT(model).parameters.map(({ name, shape }) => [name, shape]));
  const table = wanted.get(positions)!;
  if (!tensors.has(positions)) wanted.delete(positions);
  checkFit(tensors, wanted, path, `DiT of width ${width}, depth ${depth} and ${counted(classes, 'class')}`);
  const weights = await readWeights(tensors);
  if (tensors.has(positions)) return weights;
  const data = positionTable(imageSize[0] / patchSize, imageSize[1] / patchSize, width);
  return new Map([...weights, [positions, { dtype: 'F32', shape: table, data }]]);
}

/** What `convertWeights` does to them, for people. */
export function describeConversion(
  tensors: LazyTensors,
  { learnsSigma }: DiTSizes,
  { model, convention }: DescribedModel,
): string[] {
  const others = new Set([...tensors.values()].map(({ dtype }) => dtype).filter((dtype) => dtype !== 'F32'));
  return [
    ...(others.size > 0 ? [`${[...others].join(', ')} becomes F32`] : []),
    ...(learnsSigma ? ['the second half of the output, the learnt sigma, is dropped'] : []),
    ...(convention.isNegated ? ['the last layer is negated: v(x, t) = -v_sit(x, 1 - t)'] : []),
    ...(model.reverseTime
      ? ['the model is fed 1 - t, which model.reverseTime of its config says from now on']
      : []),
    ...(tensors.has(positions) ? [] : ['the positional table is not in the file: it is computed']),
    ...(convention.objective === 'ddpm'
      ? [
          'these weights predict noise, not a velocity: the run has flow.objective ddpm, unless --config says another to train from here',
        ]
      : []),
  ];
}
