// The settings of data, a form for each kind of source.
import { z } from 'zod';
import type { DataConfig, ImageSettings, Side, Transform } from '../sources/settings.ts';
import {
  above0,
  flag,
  fraction,
  list,
  mostPixels,
  number,
  oneOf,
  settings,
  side,
  text,
  variant,
  whole,
} from './schema-parts.ts';

type OfImages = Extract<DataConfig, ImageSettings>;

/** As it is given, defaults filled in: `size` may stand for transforms. */
export type ParsedData =
  | Exclude<DataConfig, ImageSettings>
  | (OfImages extends infer Data extends OfImages
      ? Data extends unknown
        ? Omit<Data, 'transforms'> & { readonly size?: Side; readonly transforms?: readonly Transform[] }
        : never
      : never);

const path = text('a path');
const wantedPaths = 'a path, or a list of paths';
const paths = z.union([path, z.array(path).min(1, { error: wantedPaths })], { error: wantedPaths });
const classNames = z.array(text('a name'), { error: 'a list of names' }).exactOptional();
const condition = oneOf('auto', 'class', 'caption', 'none').default('auto');

/** As they are named: YAML reads `1` and `true` as what they look like. */
const valueOfColumn = z
  .union([z.string(), z.number(), z.boolean()], { error: 'a value' })
  .transform((value) => (typeof value === 'boolean' ? (value ? 'True' : 'False') : String(value)));
const valuesOfColumn = z
  .union([valueOfColumn, z.array(valueOfColumn)], { error: 'a value, or a list of values' })
  .transform((values) => (Array.isArray(values) ? values : [values]));

function range(wanted: string): z.ZodType<readonly [number, number]> {
  return z
    .tuple([above0, above0], { error: wanted })
    .refine(([least, most]) => least <= most, { error: wanted });
}

/** One for all channels, or one for each. */
function perChannel(one: z.ZodType<number>): z.ZodType<number | readonly number[]> {
  return z.union([one, z.array(one).min(1)], { error: 'a number, or a list with one for each channel' });
}

const transform = z.discriminatedUnion(
  'kind',
  [
    settings({ kind: z.literal('resize'), size: side }),
    settings({ kind: z.literal('resize-to-cover'), size: side }),
    settings({ kind: z.literal('center-crop'), size: side }),
    settings({ kind: z.literal('random-crop'), size: side }),
    settings({
      kind: z.literal('random-resized-crop'),
      size: side,
      scale: range('two shares of the area, as in [0.08, 1]')
        .refine(([, most]) => most <= 1, { error: 'two shares of the area, 1 at most' })
        .default([0.08, 1]),
      ratio: range('two proportions, width by height, as in [0.75, 1.33]').default([3 / 4, 4 / 3]),
    }),
    settings({ kind: z.literal('horizontal-flip'), probability: fraction.default(0.5) }),
  ],
  {
    error: variant(
      'kind',
      'resize',
      'resize-to-cover',
      'center-crop',
      'random-crop',
      'random-resized-crop',
      'horizontal-flip',
    ),
  },
);

/** Each is programs of its own. */
const MOST_SIZES = 64;

const imageSettings = {
  channels: z.literal([1, 3], { error: '1 (grey) or 3 (RGB)' }).default(3),
  background: z
    .string({ error: 'a colour, as in #ffffff' })
    .regex(/^#[0-9a-f]{6}$/i, { error: 'a colour, as in #ffffff' })
    .default('#ffffff'),
  size: side.exactOptional(),
  transforms: z.array(transform, { error: 'a list of transforms' }).exactOptional(),
  sizes: list(side, MOST_SIZES, 'sizes, as in [32, 48, 64]')
    .min(1, { error: 'sizes, as in [32, 48, 64]' })
    .exactOptional(),
  buckets: settings({
    area: whole(1, mostPixels),
    step: whole(1).default(64),
    maxAspect: number('a number from 1', (value) => value >= 1).default(2),
    upscale: flag.default(false),
  }).exactOptional(),
  crop: oneOf('center', 'random').exactOptional(),
  maxPixels: whole(1).default(100_000_000),
};

const annotationFiles = {
  labelColumn: text('the name of a column').exactOptional(),
  captionColumn: text('the name of a column').exactOptional(),
  captionExtensions: z
    .array(text('an ending'), { error: 'a list of endings, as in [.txt, .caption]' })
    .min(1, { error: 'a list of endings, as in [.txt, .caption]' })
    .exactOptional(),
  captionPerLine: flag.exactOptional(),
};

const idxLike = { split: oneOf('train', 'test').default('train'), pad: whole(0).default(0) };

const sources = [
  settings({ source: z.literal('digits'), ...idxLike, folder: text('a folder').exactOptional() }),
  settings({ source: z.literal('fashion'), ...idxLike }),
  settings({ source: z.literal('emoji'), condition, ...imageSettings }),
  settings({ source: z.literal('folder'), path, condition, ...annotationFiles, ...imageSettings }),
  settings({ source: z.literal('shards'), path: paths, condition, ...annotationFiles, ...imageSettings }),
  settings({
    source: z.literal('parquet'),
    path: paths,
    condition,
    imageColumn: text('the name of a column').default('image'),
    labelColumn: text('the name of a column').exactOptional(),
    captionColumn: text('the name of a column').exactOptional(),
    ...imageSettings,
  }),
  settings({
    source: z.literal('idx'),
    images: path,
    labels: path.exactOptional(),
    classNames,
    pad: whole(0).default(0),
  }),
  settings({
    source: z.literal('array'),
    path,
    inRun: flag.exactOptional(),
    labels: text('a path, or the name of a tensor').exactOptional(),
    captions: path.exactOptional(),
    tensor: text('the name of a tensor').default('samples'),
    classNames,
    latents: flag.default(false),
    scale: above0.default(1),
    shift: number('a number', Number.isFinite).default(0),
    autoencoder: path.exactOptional(),
  }),
  settings({
    source: z.literal('latents'),
    path,
    condition,
    draw: flag.default(true),
    flip: z.union([z.literal('auto'), fraction], { error: 'a share from 0 to 1, or auto' }).default('auto'),
    scaling: z
      .union(
        [
          oneOf('auto', 'autoencoder', 'statistics'),
          settings({
            scale: perChannel(above0),
            shift: perChannel(number('a number', Number.isFinite)).default(0),
          }),
        ],
        { error: 'auto, autoencoder, statistics, or numbers, as in { scale: 0.18215, shift: 0 }' },
      )
      .default('auto'),
    autoencoder: path.exactOptional(),
    size: side.exactOptional(),
  }),
  settings({
    source: z.literal('expression'),
    path,
    modality: text('the name of a modality').exactOptional(),
    layer: text('X, raw, or the name of a layer').default('X'),
    where: z
      .record(z.string(), valuesOfColumn, { error: 'columns of obs, each with a value or a list of values' })
      .exactOptional(),
    label: text('the name of a column of obs').exactOptional(),
    unlabelled: oneOf('refuse', 'drop').exactOptional(),
    normalize: oneOf('auto', 'log1p', 'none').default('auto'),
    target: above0.default(1e4),
    variableGenes: whole(0).default(0),
    scaleGenes: flag.default(false),
    holdOut: number('a number from 0, below 1', (value) => value >= 0 && value < 1).default(0),
    split: oneOf('train', 'held-out').default('train'),
  }),
  settings({ source: z.literal('pairs'), path }),
  settings({ source: z.literal('custom') }),
] as const;

const names = sources.map(({ shape }) => [...shape.source.values][0]!);

export const dataSchema: z.ZodType<ParsedData> = z.discriminatedUnion('source', sources, {
  error: variant('source', ...names),
});
