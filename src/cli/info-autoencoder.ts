import { readAutoencoder } from '../api/autoencoder.ts';
import { autoencoderNeeds } from '../api/autoencoder-needs.ts';
import { chooseBackend } from '../backends/choose.ts';
import { classNames } from '../interop/autoencoders/diffusers-config.ts';
import type { Autoencoder } from '../models/autoencoders/autoencoder.ts';
import { type AutoencoderConfig, resolveAutoencoderConfig } from '../models/autoencoders/config.ts';
import { counted } from '../tensor/counted.ts';
import { formatBytes, formatFlops, formatInteger } from './format.ts';
import type { InfoOptions } from './info-model.ts';
import { shortPath } from './paths.ts';

/** Pixels of a side, where nobody says how large pictures are. */
const usualSide = 256;

/** @throws RectiflowError where there is no autoencoder that is read, or the size does not fit it */
export async function describeAutoencoder(
  path: string,
  { imageSize }: Pick<InfoOptions, 'imageSize'>,
): Promise<string[]> {
  const notices: string[] = [];
  const onNotice = (notice: string): void => void notices.push(notice);
  const { config, autoencoder, form, fingerprint } = await readAutoencoder(path, {
    isScalingNeeded: false,
    onNotice,
  });
  const { factor, imageChannels, latentChannels } = autoencoder;
  const side = Math.ceil(usualSide / factor) * factor;
  const [height, width] = imageSize ?? [side, side];
  const { backend, notices: ofBackend } = await chooseBackend({ precision: 'fp32' });
  try {
    const needs = autoencoderNeeds(autoencoder, [imageChannels, height, width], backend);
    const { cost, memory } = needs;
    return [
      shortPath(path),
      `  autoencoder  ${classNames[config.kind]}, ${form}`,
      `  pictures     ${counted(imageChannels, 'channel')}, sides multiples of ${factor}`,
      `  latents      ${counted(latentChannels, 'channel')}, one pixel for ${factor}x${factor} of the picture`,
      `  layers       ${describeLayers(config)}`,
      `  scaling      a model sees ${describeScaling(config)}`,
      `  parameters   ${formatInteger(needs.parameters)}`,
      `  per picture  of ${height}x${width}: ${formatFlops(cost.encode)} to encode, ${formatFlops(cost.decode)} to decode`,
      `  memory       ${formatBytes(memory.encode)} to encode one, ${formatBytes(memory.decode)} to decode one, with ${backend.describe()}`,
      `  tiles        ${describeTiles(autoencoder)}`,
      `  fingerprint  ${fingerprint}`,
      ...[...notices, ...ofBackend].map((notice) => `note: ${notice}`),
    ];
  } finally {
    await backend.dispose();
  }
}

function describeLayers(config: AutoencoderConfig): string {
  const resolved = resolveAutoencoderConfig(config);
  if (resolved.kind === 'tiny') {
    const { encoderBlocks, decoderBlocks, encoderWidth, decoderWidth, poolGroups } = resolved;
    const width = encoderWidth === decoderWidth ? `${encoderWidth}` : `${encoderWidth} and ${decoderWidth}`;
    const pool = poolGroups === 0 ? '' : ', a pool in the deepest ones';
    return `${width} wide, blocks ${encoderBlocks.join(', ')} and ${decoderBlocks.join(', ')}${pool}`;
  }
  const { blockOutChannels, layersPerBlock, normGroups, midAttention, quantConv, postQuantConv } = resolved;
  const quant = quantConv && postQuantConv ? ', quant convolutions' : '';
  const { attentionLevels } = resolved;
  const levels = attentionLevels.length > 0 ? `, attention in level ${attentionLevels.join(' and ')}` : '';
  const attention = (midAttention ? ', attention' : '') + levels;
  return `${blockOutChannels.join(', ')} wide, ${counted(layersPerBlock, 'block')} each, norms of ${counted(normGroups, 'group')}${attention}${quant}`;
}

function describeScaling(config: AutoencoderConfig): string {
  const { scale, shift } = resolveAutoencoderConfig(config).scaling;
  if (scale === 1 && shift === 0) return 'latents as they are';
  const [scaled, shifted] = [scale, shift].map((value) =>
    typeof value === 'number'
      ? `${value}`
      : `[${value.map((each) => Number(each.toPrecision(4))).join(', ')}]`,
  );
  return `(latent - ${shifted}) * ${scaled}`;
}

/** Of pictures that are too large for memory. */
function describeTiles({ parts }: Autoencoder): string {
  const isNear = ({ reach }: { readonly reach: number | undefined }): boolean => reach !== undefined;
  const all = [...parts.encode, ...parts.decode];
  if (all.every(isNear)) return 'exact, where memory is short: pixels see no further than tiles overlap';
  if (all.some(isNear)) return 'exact, where memory is short: only the deepest level sees the whole picture';
  return 'blended, where memory is short: norms see the whole picture, tiles differ from it';
}
