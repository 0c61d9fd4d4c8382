// Group norm of images with what follows it, and its gradient. A group of an image is a row, as it lies in memory.
import { activations } from '../../../ops/activations.ts';
import { sizeOf } from '../../../tensor/shape.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Kernel, Scratch } from '../dispatch.ts';
import { eachItem, items } from '../items.ts';
import { reductions } from '../reduction.ts';
import { rows } from '../rows/index.ts';
import { activated, derivative } from './activations.ts';
import { centredPasses } from './layer-norm.ts';

type Attributes = { groups: number; epsilon: number; activation: number };

/** Sizes of x [B, C, ...] in so many groups. */
function extentsOf(
  { shape }: Tensor,
  groups: number,
): { B: number; C: number; pixels: number; size: number } {
  const [B, C] = shape as [number, number];
  const pixels = sizeOf(shape.slice(2));
  return { B, C, pixels, size: (C / groups) * pixels };
}

/** y = act((x - mean) rstd w + b) */
const groupNorm: Kernel = ({ inputs, outputs, attributes }, { tuning }) => {
  const [x, w, b] = inputs as [Tensor, Tensor, Tensor];
  const [y, mean, rstd] = outputs as [Tensor, Tensor, Tensor];
  const { groups, epsilon, activation } = attributes as Attributes;
  const { B, C, pixels, size } = extentsOf(x, groups);
  return rows(
    {
      rows: B * groups,
      width: size,
      reads: [
        { name: 'x', operand: x },
        { name: 'w', operand: w },
        { name: 'b', operand: b },
      ],
      passes: centredPasses,
      each: 'let channel = at / u.pixels % u.channels; let z = (x(at) - mean) * rstd * w(channel) + b(channel);',
      outputs: [{ name: 'y', tensor: y, value: activated(activation, 'z') }],
      ofRows: [
        { name: 'made_mean', operand: mean, value: 'mean' },
        { name: 'made_rstd', operand: rstd, value: 'rstd' },
      ],
      sizes: { pixels, channels: C },
      numbers: { epsilon },
    },
    tuning,
  );
};

/**
 * With h = (x - mean) rstd, dz = dy act'(h w + b) and g = dz w: dx = rstd (g - mean(g) - h mean(g h)), dw = sum of dz h, db = sum of dz.
 * All sums are made of those over the pixels of a channel of an image.
 */
const groupNormGrad: Kernel = ({ inputs, outputs, attributes }, { tuning }) => {
  const [x, w, b, mean, rstd, dy] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
  const [dx, dw, db] = outputs as [Tensor, Tensor, Tensor];
  const { groups, activation } = attributes as Attributes;
  const { B, C, pixels, size } = extentsOf(x, groups);
  const isPlain = activation === activations.none;
  const reads = [
    { name: 'x', operand: x },
    { name: 'dy', operand: dy },
    { name: 'w', operand: w },
    ...(isPlain ? [] : [{ name: 'b', operand: b }]),
    { name: 'mean', operand: mean },
    { name: 'rstd', operand: rstd },
  ];
  const sizes = { pixels, channels: C, perGroup: C / groups };
  /** @param image an expression of the channel among those of all images */
  const each = (image: string): string =>
    `let image = ${image}; let channel = image % u.channels; let group = image / u.perGroup;
    let h = (x(at) - mean(group)) * rstd(group);
    let dz = ${isPlain ? 'dy(at)' : `dy(at) * ${derivative(activation, '(h * w(channel) + b(channel))')}`};`;
  const sums: Scratch = { scratch: 'sums of channels', elements: B * C };
  const products: Scratch = { scratch: 'products of channels', elements: B * C };
  const means: Scratch = { scratch: 'means of groups', elements: 2 * B * groups };
  const ofChannels = [
    { name: 'sums', operand: sums },
    { name: 'products', operand: products },
  ];
  return [
    ...rows(
      {
        rows: B * C,
        width: pixels,
        reads: isPlain ? reads.filter(({ name }) => name !== 'w') : reads,
        passes: [
          {
            each: each('row'),
            totals: [
              { name: 'sum', term: 'dz' },
              { name: 'product', term: 'dz * h' },
            ],
          },
        ],
        ofRows: [
          { name: 'set_of_sums', operand: sums, value: 'sum' },
          { name: 'set_of_products', operand: products, value: 'product' },
        ],
        sizes,
      },
      tuning,
    ),
    eachItem({
      arguments: [
        ...ofChannels,
        { name: 'w', operand: w },
        { name: 'means', operand: means, isWritten: true },
      ],
      count: B * groups,
      body: `var g = 0.0f; var gh = 0.0f;
  for (var k = i * u.perGroup; k < (i + 1u) * u.perGroup; k++) {
    let channel = w(k % u.channels); g += sums(k) * channel; gh += products(k) * channel;
  }
  set_means(2u * i, g / f32(u.size)); set_means(2u * i + 1u, gh / f32(u.size));`,
      sizes: { ...sizes, size },
    }),
    items({
      reads: [...reads, { name: 'means', operand: means }],
      output: dx,
      value: `let at = i; ${each('at / u.pixels')}
  return ((dz * w(channel) - means(2u * group)) - h * means(2u * group + 1u)) * rstd(group);`,
      sizes,
    }),
    ...reductions({
      reads: ofChannels,
      outputs: C,
      terms: B,
      lanes: tuning.lanes,
      totals: [
        { output: dw, term: 'return products(j * u.outputs + i);' },
        { output: db, term: 'return sums(j * u.outputs + i);' },
      ],
    }),
  ];
};

export const groupNormKernels: Readonly<Record<string, Kernel>> = { groupNorm, groupNormGrad };
