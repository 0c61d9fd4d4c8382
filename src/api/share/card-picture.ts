// What the card of a shared model shows: samples of it.
import { toPoints } from '../../data/expression/principal-components.ts';
import { toCells } from '../../data/expression/denormalize.ts';
import { type ImageShape, isPicture } from '../../data/source.ts';
import { withPngText } from '../../formats/png-text.ts';
import { encodePng } from '../../pictures/image.ts';
import { drawSampleSheet } from '../../pictures/sample-sheet.ts';
import { svgScatter } from '../../pictures/scatter.ts';
import { type Samples } from '../../runner/samples/samples.ts';
import { type StoredCells, planeOf, restoreCells } from '../../share/cells.ts';
import { parseExpressionRecord } from '../../sources/expression/record.ts';
import { counted } from '../../tensor/counted.ts';
import { gridRows } from '../../train/sample-grid.ts';
import { type SampleRunOptions, sample } from '../sample.ts';
import type { RunModel } from '../run-sampler.ts';

export interface CardPicture {
  /** The name of its file. */
  readonly file: string;
  readonly bytes: Uint8Array;
  /** What is in it, and how it was made. */
  readonly text: string;
}

type Options = Pick<SampleRunOptions, 'weights' | 'emaLength' | 'checkpoint' | 'backend' | 'signal'>;

/** In all; a class or a caption has its share of them. */
const most = 64;
const mostOfOne = 8;
/** Of a model that is told nothing. */
const untold = 36;

/** @param cells real ones, which generated cells are shown beside @returns undefined of a model whose samples cannot be seen */
export async function drawCardPicture(
  opened: Pick<RunModel, 'run' | 'config' | 'data' | 'model'>,
  options: Options,
  cells: StoredCells | undefined,
): Promise<CardPicture | undefined> {
  if (cells) return drawCells(await sample(opened.run, options), cells);
  const { run, config, data, model } = opened;
  if (data.record?.['kind'] === 'expression' || model.sampleShape.length !== 3) return undefined;
  const rows = gridRows(config.sample).length;
  const count = rows === 0 ? untold : Math.max(1, Math.min(mostOfOne, Math.floor(most / rows)));
  const samples = await sample(run, { ...options, count });
  const { made, pictures, shape } = samples;
  if (!pictures && !isPicture(shape, data.record)) return undefined;
  const sheet = await drawSampleSheet({ ...samples, shape: shape as ImageShape, ...pictures });
  // What visitors load should be small, and shows as much.
  const png = await encodePng(sheet, true);
  const what = config.sample.prompts.length > 0 ? 'caption' : 'class';
  const which = rows === 0 ? counted(count, 'sample') : `${counted(count, 'sample')} of each ${what}`;
  return {
    file: 'samples.png',
    bytes: withPngText(png, 'rectiflow', JSON.stringify(made)),
    text: `${which}: ${howMade(samples)}`,
  };
}

/** Generated cells beside real ones, in the plane of the real ones. */
function drawCells(samples: Samples, cells: StoredCells): CardPicture {
  const { values, annotations, data } = samples;
  const record = parseExpressionRecord(data.record, 'the run');
  const { projection, points, labels, explained } = restoreCells(cells, cells.tensors, record);
  const width = explained.length;
  const plane = (flat: Float32Array): ReturnType<typeof toPoints> => toPoints(Float64Array.from(flat), width);
  const told = annotations.map(({ label = 0 }) => label);
  const made = toCells(values, record, {
    ...(annotations.length > 0 && { labels: told }),
    seed: samples.made!.seed,
  });
  const generated = plane(planeOf(made.values, projection));
  const svg = svgScatter({
    title: 'Cells by type',
    x: 'first principal component',
    y: 'second principal component',
    panels: [
      { title: `${counted(labels.length, 'cell')} trained on`, points: plane(points), labels },
      {
        title: `${counted(generated.length, 'generated cell')}`,
        points: generated,
        labels: told,
      },
    ],
    classNames: data.classNames ?? ['cells'],
  });
  return {
    file: 'samples.svg',
    bytes: new TextEncoder().encode(svg),
    text: `As many cells of each type as were trained on: ${howMade(samples)}`,
  };
}

function howMade({ made }: Samples): string {
  const { steps, sampler, guidance, seed } = made!;
  return `${counted(steps, 'step')} of ${sampler}, guidance ${guidance}, seed ${seed}`;
}
