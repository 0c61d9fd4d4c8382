import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Canvas, writePng } from '../pictures/image.ts';
import { svgPlot } from '../pictures/plot.ts';
import { toPicture } from '../pictures/preview/pictures.ts';
import { type TitledRow, drawRows } from '../pictures/preview/rows.ts';
import { type ImageShape, type SourceFacts, imageSize } from '../data/source.ts';
import { counted } from '../tensor/counted.ts';
import { fileError, systemProblem } from '../tensor/errors.ts';
import { greatest, least } from '../tensor/extremes.ts';
import type { MeasuredObjectives } from './measured-objectives.ts';

/** The paths of what a comparison made. */
export interface WrittenComparison {
  /** All numbers, as JSON. */
  readonly report: string;
  /** The loss curves, as SVG. */
  readonly losses: string;
  /** The distances to the data by evaluations, as SVG. */
  readonly distances: string;
  /** Samples of each objective and number of evaluations, as PNG; undefined where samples are no pictures. */
  readonly samples: string | undefined;
}

/**
 * Writes what a comparison found, over an earlier one.
 * @throws RectiflowError when a file cannot be written
 */
export async function writeComparison(
  folder: string,
  compared: MeasuredObjectives,
  { name }: Pick<SourceFacts, 'name'>,
): Promise<WrittenComparison> {
  const path = (file: string): string => join(folder, file);
  const files = {
    report: path('report.json'),
    losses: path('losses.svg'),
    distances: path('distances.svg'),
    samples: compared.pictures ? path('samples.png') : undefined,
  };
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(files.report, `${JSON.stringify(reportOf(compared, name), null, 2)}\n`);
    await writeFile(files.losses, plotLosses(compared));
    await writeFile(files.distances, plotDistances(compared));
  } catch (error) {
    throw fileError(folder, systemProblem(error), 'Check the path and the disk', error);
  }
  if (files.samples) await writePng(files.samples, await drawSamples(compared, compared.pictures!));
  return files;
}

function reportOf(
  { config, objectives, rows, dataDistance, count }: MeasuredObjectives,
  data: string,
): object {
  return {
    data,
    seed: config.seed,
    steps: config.train.steps,
    batchSize: config.train.batchSize,
    model: config.model,
    losses: objectives,
    distance: {
      what: 'energy distance from samples without guidance to the data, in the values that the model sees',
      samples: count,
      dataToData: dataDistance,
    },
    rows: rows.map((row) => ({ ...row, shown: undefined })),
  };
}

function plotLosses({ config, objectives }: MeasuredObjectives): string {
  const isCustom = objectives.some(({ objective }) => objective === 'custom');
  return svgPlot({
    title: `Training loss, ${counted(config.train.batchSize, 'sample')} per step`,
    subtitle: `Compare shapes, not heights: one is the error of ${isCustom ? 'what the program asks for' : 'a velocity'}, the other of the noise`,
    x: 'step',
    y: 'mean squared error',
    series: objectives.map(({ objective, losses }) => ({ label: objective, points: losses })),
    legend: 'right',
  });
}

function plotDistances({ config, rows, dataDistance, count }: MeasuredObjectives): string {
  const samplers = new Map(rows.map(({ objective, sampler }) => [objective, sampler]));
  const lines = Array.from(samplers, ([objective, sampler]) => ({
    label: `${objective}, ${sampler}`,
    points: rows
      .filter((row) => row.objective === objective)
      .map(({ evaluations, distance }) => [evaluations, distance] as const),
  }));
  const evaluations = rows.map((row) => row.evaluations);
  const ends = [least(evaluations), greatest(evaluations)];
  const floor = { label: 'data to data', dashed: true, points: ends.map((x) => [x, dataDistance] as const) };
  return svgPlot({
    title: `Samples to data after ${counted(config.train.steps, 'step')} of training`,
    subtitle: `Energy distance of ${counted(count, 'sample')} without guidance: lower is nearer`,
    x: 'evaluations of the model per sample',
    y: 'energy distance',
    series: [...lines, floor],
    legend: 'right',
  });
}

/** From -1, black, to 1, white. */
const range = [-1, 1] as const;

async function drawSamples({ rows }: MeasuredObjectives, shape: ImageShape): Promise<Canvas> {
  const size = imageSize(shape);
  const titled: TitledRow[] = [];
  for (const { objective, sampler, evaluations, shown } of rows) {
    const pictures: Canvas[] = [];
    for (let at = 0; at < shown.length; at += size)
      pictures.push(await toPicture(shown.subarray(at, at + size), shape, [range, range, range]));
    titled.push({ title: `${objective} (${sampler}), evaluations: ${evaluations}`, pictures });
  }
  return drawRows(titled);
}
