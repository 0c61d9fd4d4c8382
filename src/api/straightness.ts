import type { Backend } from '../backends/backend.ts';
import type { Annotation } from '../data/source.ts';
import { type Straightness, StraightnessSum } from '../flow/straightness.ts';
import { isNullTrained } from '../known/trained-with.ts';
import { valueError } from '../tensor/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { OwnModel } from '../train/create-model.ts';
import { classesTold } from './classes-told.ts';
import { conditionsOf } from './asked-conditions.ts';
import { checkRectified } from './rectified.ts';
import { type RunModel, openRunModel, withRunSampler } from './run-sampler.ts';
import { usableGuidance } from '../runner/samples/sampler-settings.ts';
import type { WeightsChoice } from './weights.ts';

export interface StraightnessOptions extends WeightsChoice, OwnModel {
  /** Paths to go along; 64 by default. */
  readonly count?: number | undefined;
  /** Steps of Euler along each; 100 by default. Fewer see less of how a path bends: one sees nothing. */
  readonly steps?: number | undefined;
  /** The scale of guidance on the way; 1, the default, is the flow that was trained. */
  readonly guidance?: number | undefined;
  /** Path i begins with noise that is a function of (seed, i) alone; 0 by default. */
  readonly seed?: number | undefined;
  /** The step of a checkpoint; the last that is intact by default. */
  readonly checkpoint?: number | undefined;
  readonly backend?: Backend | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface MeasuredStraightness extends Straightness {
  /** The folder of the run. */
  readonly run: string;
  /** Of its checkpoint. */
  readonly step: number;
  readonly count: number;
  /** Of Euler. */
  readonly steps: number;
  readonly guidance: number;
  readonly seed: number;
}

/** Bytes that the paths of a batch may take. */
const mostBytes = 256 * 2 ** 20;
const mostAtOnce = 64;

/**
 * Measures how far the paths of a run's samples are from straight lines (`Straightness`), with its averaged weights. Paths are of all
 * classes that it was told in turn, or of the captions of the run's grids.
 * @param run its folder
 * @throws RectiflowError when there is no such run or checkpoint, or it is none of rectified flow
 */
export async function measureStraightness(
  run: string,
  options: StraightnessOptions = {},
): Promise<MeasuredStraightness> {
  const { count = 64, steps = 100, seed = 0, signal, onProgress } = options;
  if (!Number.isSafeInteger(count) || count < 1)
    throw valueError('straightness', 'count', 'a whole number above 0', count);
  if (!Number.isSafeInteger(steps) || steps < 2)
    throw valueError(
      'straightness',
      'steps',
      'a whole number from 2: in one step every path is straight',
      steps,
    );
  await checkRectified(run, 'could be straight');
  const opened = await openRunModel(run, { ...options, objective: undefined });
  const { config, saved, model, conditioning } = opened;
  const told = toldInTurn(opened, count);
  const asked = { guidance: options.guidance ?? 1, ...(options.onNotice && { onNotice: options.onNotice }) };
  const guidance = usableGuidance(asked, config, told.length > 0, isNullTrained(saved, config));
  const elements = sizeOf(model.sampleShape);
  const atOnce = Math.max(1, Math.min(mostAtOnce, Math.floor(mostBytes / (4 * elements * (steps + 1)))));
  const sum = new StraightnessSum(steps, elements);
  await withRunSampler(opened, options, async (sampler) => {
    for (let first = 0; first < count; first += atOnce) {
      const size = Math.min(atOnce, count - first);
      const path: Float32Array[] = [];
      const data = await sampler.sample({
        sampler: 'euler',
        steps,
        guidance,
        count: size,
        seed,
        firstSample: first,
        ...conditionsOf(conditioning, told.slice(first, first + size), {
          count: size,
          shape: model.sampleShape,
        }),
        ...(signal && { signal }),
        onVisit: (x) => void path.push(Float32Array.from(x)),
        onProgress: (done, total) => onProgress?.(first + (size * done) / total, count),
      });
      sum.add([...path, data], size);
    }
  });
  return { run, step: saved.step, count, steps, guidance, seed, ...sum.result() };
}

/** What each path is told; nothing of a model that is told nothing, or captions that nobody gives. */
function toldInTurn(opened: RunModel, count: number): Annotation[] {
  const classes = classesTold(opened);
  const { prompts } = opened.config.sample;
  const one = (i: number): Annotation =>
    classes > 0 ? { label: i % classes } : { caption: prompts[i % prompts.length]! };
  return classes > 0 || prompts.length > 0 ? Array.from({ length: count }, (_, i) => one(i)) : [];
}
