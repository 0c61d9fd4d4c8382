// The config of a run that goes on with the weights of another at another size.
import type { ConfigInput, GrowthConfig, RunConfig } from '../../config/config.ts';
import { mergeConfigs } from '../../config/load-config.ts';
import { dataAt, hasPatches, nearestSizes } from '../../config/stages.ts';
import type { PositionSettings } from '../../models/dit-config.ts';
import { runError, valueError } from '../../tensor/errors.ts';
import { sameShape } from '../../tensor/shape.ts';

type Size = readonly [height: number, width: number];

export interface GrowthWanted {
  /** [height, width], or one number for a square; that of the run by default. */
  readonly imageSize?: number | Size | undefined;
  /** Side of a patch, in pixels; that of the run by default. */
  readonly patchSize?: number | undefined;
  /**
   * Where tokens lie: kept, the default, as the run has them, so that a larger grid has places that it has never seen; stretched or
   * centred over the grid of the run.
   */
  readonly positions?: 'kept' | 'stretched' | 'centred' | undefined;
  /** What `growth.kernels` and `growth.moments` say of stages; as the run's config has them by default. */
  readonly kernels?: GrowthConfig['kernels'] | undefined;
  readonly moments?: GrowthConfig['moments'] | undefined;
  /** Of the new run; by default that of the run, with the size. */
  readonly name?: string | undefined;
  /** Settings of the new run that are to be others. */
  readonly changes?: ConfigInput | undefined;
}

/**
 * @param run the folder of the run that grows, for errors
 * @param from its config, at the checkpoint that it grows from
 * @throws RectiflowError where it cannot grow so
 */
export function grownConfig(run: string, from: RunConfig, wanted: GrowthWanted): ConfigInput {
  const { model, data } = from;
  if (!hasPatches(model)) {
    const advice = 'Models of images grow, dit and text-dit';
    throw runError(run, `its model is a ${model.kind}, which has no patches that could be resized`, advice);
  }
  const { changes = {}, positions = 'kept', patchSize = model.patchSize } = wanted;
  const imageSize = sizeOf(wanted.imageSize) ?? model.imageSize;
  checkGrowth(model, imageSize, patchSize);
  const resized = dataAt(data, model.imageSize, imageSize);
  if (resized === undefined && changes.data === undefined) {
    const advice = 'Give data of that size, as in --set data.path=... (changes.data)';
    throw runError(run, `its data, ${data.source}, cannot be read at ${imageSize.join('x')}`, advice);
  }
  const { kernels = from.growth.kernels, moments = from.growth.moments } = wanted;
  const isSame = sameShape(imageSize, model.imageSize) && patchSize === model.patchSize;
  const grown = {
    ...from,
    name: wanted.name ?? `${from.name}-${isSame ? 'grown' : nameOfSize(imageSize)}`,
    data: resized ?? data,
    model: { ...model, imageSize, patchSize, ...placed(model, positions) },
    stages: [],
    growth: { kernels, moments },
    // The average is there already: a ramp would forget it.
    ema: { ...from.ema, ramp: false },
  } as ConfigInput;
  return mergeConfigs(grown, changes);
}

function sizeOf(size: GrowthWanted['imageSize']): Size | undefined {
  return typeof size === 'number' ? [size, size] : size;
}

function nameOfSize([height, width]: Size): string {
  return height === width ? String(height) : `${height}x${width}`;
}

function checkGrowth(model: { readonly imageSize: Size }, imageSize: Size, patchSize: number): void {
  if (imageSize.some((side, axis) => side < model.imageSize[axis]!)) {
    const wanted = `no smaller than the ${model.imageSize.join('x')} of the run, which grows`;
    throw valueError('grow', 'image size', wanted, imageSize.join('x'));
  }
  if (imageSize.some((side) => side % patchSize !== 0)) {
    const wanted = `a multiple of the patch size ${patchSize} on both sides, the nearest being ${nearestSizes(imageSize, patchSize)}`;
    throw valueError('grow', 'image size', wanted, imageSize.join('x'));
  }
}

/** Stretched over the grid that the model knows; over that which its own are stretched over, where they are. */
function placed(
  {
    imageSize,
    patchSize,
    positionGrid,
  }: PositionSettings & { readonly imageSize: Size; readonly patchSize: number },
  positions: NonNullable<GrowthWanted['positions']>,
): PositionSettings {
  if (positions === 'kept') return {};
  const [height, width] = imageSize;
  return { positions, positionGrid: positionGrid ?? [height / patchSize, width / patchSize] };
}
