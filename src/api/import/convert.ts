// From another system's weights to those of our model.
import { checkFit } from '../../interop/check-fit.ts';
import { type DiTSizes, negated, withoutSigma } from '../../interop/dit-weights.ts';
import { describeParts } from '../../interop/lightning-dit.ts';
import { type LazyTensors, readWeights } from '../../interop/weights-file.ts';
import type { StoredTensors } from '../../tensor/stored-tensor.ts';
import { DiT } from '../../models/dit.ts';
import { checkTable, storedTables } from '../../nn/fixed-table.ts';
import type { ImageModel } from '../../train/settings.ts';
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
  const { width, depth, classes } = model;
  const halved = learnsSigma ? withoutSigma(given, channels) : given;
  const tensors = convention.isNegated ? negated(halved) : halved;
  const dit = new DiT(model);
  const weights = new Map(tensors);
  for (const table of dit.tables) {
    const found = weights.get(table.name);
    if (found) checkTable(table, await found.read(), path);
    weights.delete(table.name);
  }
  const wanted = new Map(dit.parameters.map(({ name, shape }) => [name, shape]));
  const described = `a DiT of width ${width}, depth ${depth} and ${counted(classes, 'class')}`;
  const advice = 'The DiT of the public release and LightningDiT are read, without changes of their own.';
  checkFit(weights, wanted, path, described, advice);
  return new Map([...storedTables(dit), ...(await readWeights(weights))]);
}

/** What `convertWeights` does to them, for people. */
export function describeConversion(
  tensors: LazyTensors,
  { learnsSigma, tokens, parts }: DiTSizes,
  { model, convention }: DescribedModel,
): string[] {
  const others = new Set([...tensors.values()].map(({ dtype }) => dtype).filter((dtype) => dtype !== 'F32'));
  const named = describeParts(parts);
  return [
    ...(named !== undefined ? [`its blocks are those of LightningDiT: ${named}`] : []),
    ...(others.size > 0 ? [`${[...others].join(', ')} becomes F32`] : []),
    ...(learnsSigma ? ['the second half of the output, the learnt sigma, is dropped'] : []),
    ...(convention.isNegated ? ['the last layer is negated: v(x, t) = -v_sit(x, 1 - t)'] : []),
    ...(model.reverseTime
      ? ['the model is fed 1 - t, which model.reverseTime of its config says from now on']
      : []),
    ...describePositions(tokens, model),
    ...(convention.objective === 'ddpm'
      ? [
          'these weights predict noise, not a velocity: the run has flow.objective ddpm, unless --config says another to train from here',
        ]
      : []),
  ];
}

function describePositions(tokens: number | undefined, { imageSize, patchSize }: ImageModel): string[] {
  if (tokens === undefined) return ['the positional table is not in the file: it is computed'];
  const own = (imageSize[0] * imageSize[1]) / patchSize ** 2;
  if (tokens === own) return [];
  return [
    `the weights were trained at another image size, of ${counted(tokens, 'token')}: the positional table of the ${own} of ${imageSize.join('x')} is computed`,
  ];
}
