// What runs make of few evaluations, from the same noise, for the same labels or captions.
import { isAbsolute } from 'node:path';
import type { Backend } from '../backends/backend.ts';
import { openRunModel } from '../api/run-sampler.ts';
import { type SampleRunOptions, sample } from '../api/sample.ts';
import type { Samples } from '../runner/samples/samples.ts';
import { type ImageShape, imageSize, isPicture } from '../data/source.ts';
import type { Canvas } from '../pictures/image.ts';
import { toPicture } from '../pictures/preview/pictures.ts';
import { type TitledRow, drawRows } from '../pictures/preview/rows.ts';
import { valueError } from '../tensor/errors.ts';
import { gridRows } from '../train/sample-grid.ts';
import { SHOWN, asOf, shownRows } from './compared-samples.ts';

/** How often a sampler may ask the model: the columns of comparisons that nobody asks others of. */
export const FEW_EVALUATIONS: readonly number[] = [1, 2, 4, 8, 50];

export interface FewStepsOptions {
  readonly evaluations?: readonly number[] | undefined;
  /** Of all runs; by default what each run's config says. */
  readonly guidance?: number | undefined;
  readonly seed?: number | undefined;
  readonly backend?: Backend | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onNotice?: (text: string) => void;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Samples of a run with so many Euler steps. */
export interface FewSteps extends Pick<Samples, 'values' | 'shape' | 'data' | 'pictures'> {
  readonly run: string;
  readonly evaluations: number;
}

/** @throws RectiflowError where one is no number of evaluations */
export function checkEvaluations(where: string, evaluations: readonly number[]): void {
  const wrong = evaluations.find((value) => !Number.isSafeInteger(value) || value < 1);
  if (wrong === undefined && evaluations.length > 0) return;
  throw valueError(where, 'evaluations', 'whole numbers from 1', wrong ?? 'none');
}

/** What a run makes in so many Euler steps of one length. */
export function sampleInSteps(
  run: string,
  steps: number,
  { guidance, seed = 0, backend, signal }: FewStepsOptions,
  asked: Pick<SampleRunOptions, 'labels' | 'prompts' | 'count' | 'decode' | 'onNotice'>,
): Promise<Samples> {
  return sample(run, { ...asked, sampler: 'euler', timeShift: 1, steps, guidance, seed, backend, signal });
}

/**
 * Makes a row of samples for each run and number of evaluations; those of a column begin with the same noise.
 * @throws RectiflowError as `sample` does
 */
export async function sampleFewSteps(
  runs: readonly string[],
  options: FewStepsOptions = {},
): Promise<FewSteps[]> {
  const { evaluations = FEW_EVALUATIONS, onNotice, onProgress } = options;
  checkEvaluations('few steps', evaluations);
  const made: FewSteps[] = [];
  const noticed = new Set<string>();
  const once = (text: string): void => {
    if (!noticed.has(text)) onNotice?.(text);
    noticed.add(text);
  };
  for (const run of runs) {
    const { config } = await openRunModel(run, {});
    const isTold = gridRows(config.sample).length > 0;
    const rows = isTold ? asOf(config, shownRows(config, [])) : { count: SHOWN };
    for (const steps of evaluations) {
      const asked = { ...rows, onNotice: once };
      const { values, shape, data, pictures } = await sampleInSteps(run, steps, options, asked);
      made.push({ run, evaluations: steps, values, shape, data, ...(pictures && { pictures }) });
      onProgress?.(made.length, runs.length * evaluations.length);
    }
  }
  return made;
}

/** From -1, black, to 1, white. */
const range = [-1, 1] as const;

/** A row for each run and number of evaluations, of latents what they were decoded to; undefined where samples are no pictures, or of different sizes. */
export async function drawFewSteps(rows: readonly FewSteps[]): Promise<Canvas | undefined> {
  const drawn = rows.map(({ pictures, ...row }) => {
    const shown = pictures ?? (isPicture(row.shape, row.data.record) ? row : undefined);
    return shown && { ...row, values: shown.values, shape: shown.shape as ImageShape };
  });
  const shown = drawn.filter((row) => row !== undefined);
  const shapes = new Set(shown.map((row) => row.shape.join(' ')));
  if (shapes.size !== 1 || shown.length < rows.length) return undefined;
  const { shape } = shown[0]!;
  const size = imageSize(shape);
  const titled: TitledRow[] = [];
  for (const { run, evaluations, values } of shown) {
    const pictures: Canvas[] = [];
    for (let at = 0; at < values.length; at += size)
      pictures.push(await toPicture(values.subarray(at, at + size), shape, [range, range, range]));
    titled.push({ title: `${shortRun(run)}, evaluations: ${evaluations}`, pictures });
  }
  return drawRows(titled);
}

/** `digits` of `runs/digits`, also where the path is long. */
export function shortRun(run: string): string {
  return isAbsolute(run) || run.startsWith('runs/')
    ? (run.split(/[/\\]/).findLast((part) => part !== '') ?? run)
    : run;
}
