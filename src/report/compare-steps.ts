import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withSource } from '../api/parts.ts';
import { openRunModel } from '../api/run-sampler.ts';
import { compareData } from '../known/compare-data.ts';
import { dataOfRun } from '../known/data-of-run.ts';
import type { Source } from '../data/source.ts';
import { writePng } from '../pictures/image.ts';
import { svgPlot } from '../pictures/plot.ts';
import { counted } from '../tensor/counted.ts';
import { fileError, runError, systemProblem } from '../tensor/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { type ComparedData, asOf, readCompared } from './compared-samples.ts';
import { energyDistance } from './energy-distance.ts';
import {
  type FewStepsOptions,
  checkEvaluations,
  drawFewSteps,
  sampleFewSteps,
  sampleInSteps,
  shortRun,
} from './few-steps.ts';

export interface CompareStepsOptions extends Omit<FewStepsOptions, 'onProgress'> {
  /** Samples, and samples of the data, that distances are measured with; 500 by default, half of the data at most. */
  readonly count?: number | undefined;
  /** Data in place of those that the first run was trained on; needed where these are a program's. */
  readonly source?: Source | undefined;
  /** Where files are written, over earlier ones; by default the folder `few-steps` of the first run. */
  readonly out?: string | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface StepsRow {
  readonly run: string;
  readonly evaluations: number;
  /** The energy distance of its samples to the data. */
  readonly distance: number;
}

export interface StepsComparison {
  readonly rows: readonly StepsRow[];
  /** That of as many samples of the data to others of them: what cannot be beaten. */
  readonly dataDistance: number;
  /** How many samples distances were measured with. */
  readonly count: number;
  readonly files: { readonly report: string; readonly plot: string; readonly samples: string | undefined };
}

/**
 * Measures how far samples of few evaluations are from data, for runs that learnt the same: before reflow, after it, after
 * distillation, say. Each sample is told what a sample of the data is; guidance is that of each run's config.
 * @param runs their folders, the first of which was trained on data, and not on pairs
 * @throws RectiflowError where the data cannot be had or are none of the models', and where `sample` does
 */
export async function compareSteps(
  runs: readonly string[],
  options: CompareStepsOptions = {},
): Promise<StepsComparison> {
  const { evaluations = [1, 2, 4], out = join(runs[0]!, 'few-steps'), onProgress } = options;
  checkEvaluations('compare steps', evaluations);
  const data = await readData(runs[0]!, options);
  const count = data.annotations.length;
  const rows: StepsRow[] = [];
  for (const run of runs) {
    const { config, model } = await openRunModel(run, {});
    for (const steps of evaluations) {
      // Of latents, distances are those of latents.
      const asked = { ...asOf(config, data.annotations), decode: false };
      const { values } = await sampleInSteps(run, steps, options, asked);
      const distance = energyDistance(values, data.values, sizeOf(model.sampleShape));
      rows.push({ run, evaluations: steps, distance });
      onProgress?.(rows.length, runs.length * evaluations.length);
    }
  }
  const size = data.values.length / count;
  const dataDistance = energyDistance(data.others, data.values, size);
  const picture = await drawFewSteps(await sampleFewSteps(runs, { ...options, onProgress: undefined }));
  const files = {
    report: join(out, 'few-steps.json'),
    plot: join(out, 'few-steps.svg'),
    samples: picture && join(out, 'few-steps.png'),
  };
  const compared = { rows, dataDistance, count };
  try {
    await mkdir(out, { recursive: true });
    const what = 'energy distance from samples to the data, in the values that the model sees';
    await writeFile(files.report, `${JSON.stringify({ what, ...compared }, null, 2)}\n`);
    await writeFile(files.plot, plotDistances(compared));
  } catch (error) {
    throw fileError(out, systemProblem(error), 'Check the path and the disk', error);
  }
  if (picture && files.samples) await writePng(files.samples, picture);
  return { ...compared, files };
}

/** Samples of the data of a run, as its model knows them. */
async function readData(
  run: string,
  { count = 500, source, onNotice, signal }: CompareStepsOptions,
): Promise<ComparedData> {
  const { config, saved, data } = await openRunModel(run, {});
  if (config.data.source === 'pairs' && source === undefined)
    throw runError(
      run,
      'was trained on pairs, which are no data to compare with',
      'Name the run that was trained on data first',
    );
  const { onBadSample } = config.loader;
  const opening = { source, signal, onBadSample, known: saved, ...(onNotice && { onNotice }) };
  return withSource(dataOfRun(config, run), opening, async (given) => {
    const { captionEncoder } = data;
    const compared = await compareData(given, { checkpoint: saved, model: config.model, captionEncoder });
    return readCompared(compared.source, config, count);
  });
}

function plotDistances({ rows, dataDistance, count }: Omit<StepsComparison, 'files'>): string {
  const runs = [...new Set(rows.map(({ run }) => run))];
  const evaluations = rows.map((row) => row.evaluations);
  const ends = [Math.min(...evaluations), Math.max(...evaluations)];
  return svgPlot({
    title: 'Samples of few evaluations to data',
    subtitle: `Energy distance of ${counted(count, 'sample')}: lower is nearer`,
    x: 'evaluations of the model per sample',
    y: 'energy distance',
    series: [
      ...runs.map((run) => ({
        label: shortRun(run),
        points: rows.filter((row) => row.run === run).map((row) => [row.evaluations, row.distance] as const),
      })),
      { label: 'data to data', dashed: true, points: ends.map((x) => [x, dataDistance] as const) },
    ],
    legend: 'right',
  });
}
