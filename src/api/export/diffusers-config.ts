import { RectiflowError } from '../../tensor/errors.ts';
import { describeParts } from '../../interop/lightning-dit.ts';
import type { ImageModel } from '../../train/settings.ts';

/**
 * The config.json of diffusers' DiTTransformer2DModel, with the names of the classes as its pipelines have them.
 * @throws RectiflowError for a model that it has no form for
 */
export function diffusersConfig(model: ImageModel, classNames?: readonly string[]): Record<string, unknown> {
  const { width, depth, heads, patchSize, channels, imageSize, classes, positions = 'grid' } = model;
  const [height, side] = imageSize;
  const parts = describeParts(model);
  const problem =
    classes === 0
      ? 'has no classes'
      : height !== side
        ? `has images of ${height} x ${side}, which are no square`
        : positions !== 'grid'
          ? `has positions that are ${positions}: it computes those of whole numbers by itself`
          : parts !== undefined
            ? `has parts of LightningDiT (${parts})`
            : undefined;
  if (problem !== undefined) {
    const advice = 'Export it with --layout public.';
    throw new RectiflowError(
      'value',
      `export: DiTTransformer2DModel has no form for a model that ${problem}. ${advice}`,
    );
  }
  return {
    _class_name: 'DiTTransformer2DModel',
    activation_fn: 'gelu-approximate',
    attention_bias: true,
    attention_head_dim: width / heads,
    dropout: 0,
    in_channels: channels,
    norm_elementwise_affine: false,
    norm_eps: 1e-5,
    norm_num_groups: 32,
    norm_type: 'ada_norm_zero',
    num_attention_heads: heads,
    num_embeds_ada_norm: classes,
    num_layers: depth,
    out_channels: channels,
    patch_size: patchSize,
    sample_size: side,
    upcast_attention: false,
    ...(classNames && { id2label: { ...classNames } }),
  };
}
