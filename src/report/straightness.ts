import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type MeasuredStraightness,
  type StraightnessOptions,
  measureStraightness,
} from '../api/straightness.ts';
import { writePng } from '../pictures/image.ts';
import { svgPlot } from '../pictures/plot.ts';
import { fileError, systemProblem } from '../tensor/errors.ts';
import { type FewStepsOptions, drawFewSteps, sampleFewSteps, shortRun } from './few-steps.ts';

export interface ReportStraightnessOptions
  extends Omit<StraightnessOptions, 'onProgress' | 'checkpoint'>, Pick<FewStepsOptions, 'evaluations'> {
  /** Where files are written, over earlier ones; by default the folder `straightness` of the first run. */
  readonly out?: string | undefined;
  /** Told what is done now, and how far it is. */
  readonly onProgress?: ((what: string, done: number, total: number) => void) | undefined;
}

export interface StraightnessReport {
  readonly measured: readonly MeasuredStraightness[];
  readonly files: {
    /** All numbers, as JSON. */
    readonly report: string;
    /** The deviation from straight lines over t, as SVG. */
    readonly plot: string;
    /** Samples of few evaluations, as PNG; undefined where samples are no pictures. */
    readonly samples: string | undefined;
  };
}

/**
 * Measures how straight the paths of one or several runs are, before and after a reflow, say, and shows what each makes of few
 * evaluations, from the same noise.
 * @param runs their folders
 * @throws RectiflowError as `measureStraightness` does, and where a file cannot be written
 */
export async function reportStraightness(
  runs: readonly string[],
  options: ReportStraightnessOptions = {},
): Promise<StraightnessReport> {
  const { evaluations, out = join(runs[0]!, 'straightness'), onProgress, ...asked } = options;
  const measured: MeasuredStraightness[] = [];
  for (const [i, run] of runs.entries()) {
    const part = (done: number, total: number): void =>
      onProgress?.('following paths', i + done / total, runs.length);
    measured.push(await measureStraightness(run, { ...asked, onProgress: part }));
  }
  const { guidance: _, count: __, steps: ___, ...sampling } = asked;
  const shown = await sampleFewSteps(runs, {
    ...sampling,
    evaluations,
    onProgress: (done, total) => onProgress?.('sampling', done, total),
  });
  const picture = await drawFewSteps(shown);
  const files = {
    report: join(out, 'straightness.json'),
    plot: join(out, 'straightness.svg'),
    samples: picture && join(out, 'few-steps.png'),
  };
  try {
    await mkdir(out, { recursive: true });
    await writeFile(files.report, `${JSON.stringify(reportOf(measured), null, 2)}\n`);
    await writeFile(files.plot, plotStraightness(measured));
  } catch (error) {
    throw fileError(out, systemProblem(error), 'Check the path and the disk', error);
  }
  if (picture && files.samples) await writePng(files.samples, picture);
  return { measured, files };
}

function reportOf(measured: readonly MeasuredStraightness[]): object {
  return {
    what: 'Liu et al. 2022: the integral over t of E |(Z1 - Z0) - dZt/dt|^2; 0 is straight',
    deviation: 'divided by the numbers of a sample',
    relative: 'divided by E |Z1 - Z0|^2',
    runs: measured,
  };
}

/** No less is drawn: an axis of powers has no 0. */
const least = 1e-9;

function plotStraightness(measured: readonly MeasuredStraightness[]): string {
  const { count, steps } = measured[0]!;
  return svgPlot({
    title: 'How far paths are from straight lines',
    subtitle: `Over ${count} paths in ${steps} steps, in proportion to their lengths: 0 is straight`,
    x: 't, from data (0) to noise (1)',
    y: 'E |(Z1 - Z0) - dZt/dt|² / E |Z1 - Z0|²',
    series: measured.map(({ run, guidance, byTime }) => ({
      label: `${shortRun(run)}${guidance === 1 ? '' : `, guidance ${guidance}`}`,
      points: byTime.map(({ t, relative }) => [t, Math.max(least, relative)] as const),
    })),
    isShare: true,
    legend: 'left',
  });
}
