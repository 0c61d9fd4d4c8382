import { Loader } from '../../data/loader.ts';
import { coupledNoise } from '../../train/coupled-noise.ts';
import { explainNonFinite } from '../../train/monitor/non-finite.ts';
import { median } from '../../train/monitor/statistics.ts';
import { type PreparedTraining, workOf } from '../../train/prepare.ts';
import { settledInput } from '../../train/running-ahead.ts';
import { batchSizeOf, sharesOfSteps } from '../../train/step-shapes.ts';
import type { Shape } from '../../tensor/shape.ts';
import { stepInputs } from '../../train/step-inputs.ts';
import type { Check } from './check.ts';
import { counted } from '../../tensor/counted.ts';

export interface OverfitOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Of all steps; 45 by default. */
  readonly seconds?: number;
}

const mostSteps = 60;
/** Fewer show nothing. */
const leastSteps = 20;
/** Losses whose median is compared with the first. */
const compared = 10;
/** Of the loss that the model begins with: where all is well it falls by a quarter and more. */
const least = 0.9;
/** Learns a batch in tens of steps; a rate of the run that is higher is tried as it is. */
const rate = 1e-3;

/**
 * Trains on one batch for some tens of steps: whatever is wrong with model, data or settings, a loss that does not fall even then
 * shows it. The weights are of no use afterwards.
 * @returns the check, and what a step takes, in seconds
 */
export async function checkOverfit(
  training: PreparedTraining,
  { signal, onProgress, seconds = 45 }: OverfitOptions = {},
): Promise<{ check: Check; secondsPerStep: number }> {
  const { config, executable, conditioning, source, model } = training;
  const loader = new Loader(source, {
    ...config.loader,
    batchSize: config.train.batchSize,
    batchSizeOf: (shape) => batchSizeOf(shape, model.sampleShape, config.train),
    placement: conditioning.placement,
    seed: config.seed,
  });
  const { values, annotations, shape } = await loader.next();
  loader.close();
  const batch = {
    x0: values,
    ...coupledNoise(config.flow, annotations),
    ...conditioning.encode(annotations, shape),
  };
  /** Steps of other shapes take other times, about in proportion to what they cost. */
  const ofAnyShape = (ofThis: number): number => {
    const work = (sampleShape: Shape): number =>
      workOf(training, batchSizeOf(sampleShape, model.sampleShape, config.train), sampleShape).work;
    const shares = sharesOfSteps(source, config.train);
    const mean = shares.reduce((sum, { sampleShape, share }) => sum + share * work(sampleShape), 0);
    return (ofThis * mean) / work(shape);
  };
  const peak = Math.max(rate, config.optimizer.learningRate);
  const losses: number[] = [];
  let steps = mostSteps;
  let secondsPerStep = Infinity;
  while (losses.length < steps) {
    signal?.throwIfAborted();
    const step = losses.length + 1;
    const learningRate = peak * Math.min(1, step / 10);
    const inputs = {
      ...batch,
      ...stepInputs(config, {
        step,
        update: step,
        lossScale: config.train.precision === 'fp16' ? 1 : undefined,
      }),
      learningRate: Float32Array.of(learningRate),
      [settledInput]: Float32Array.of(1),
    };
    const started = performance.now();
    await executable.run(inputs, shape);
    // A device may be at it until its loss is there.
    const [loss] = (await executable.read(['loss'])).loss;
    // The first steps touch memory for the first time.
    secondsPerStep = Math.min(secondsPerStep, (performance.now() - started) / 1000);
    if (!Number.isFinite(loss)) {
      const why = (await explainNonFinite(executable, inputs, undefined, shape)) ?? '';
      const text = `the loss is ${loss} at step ${step} on a single batch. ${why} Lower optimizer.learningRate`;
      return {
        check: { name: 'one batch', status: 'fail', text },
        secondsPerStep: ofAnyShape(secondsPerStep),
      };
    }
    losses.push(loss!);
    onProgress?.(step, steps);
    if (step === 2) steps = Math.min(mostSteps, Math.floor(seconds / secondsPerStep));
    if (steps < leastSteps) {
      const text = `skipped: a step takes ${secondsPerStep.toFixed(1)} s, so ${leastSteps} of them would take too long`;
      return { check: { name: 'one batch', status: 'ok', text }, secondsPerStep: ofAnyShape(secondsPerStep) };
    }
  }
  return { check: describeFall(losses, peak), secondsPerStep: ofAnyShape(secondsPerStep) };
}

function describeFall(losses: readonly number[], peak: number): Check {
  const [first, last] = [losses[0]!, median(losses.slice(-compared))];
  const seen = `the loss on a single batch goes from ${first.toPrecision(3)} to ${last.toPrecision(3)} in ${counted(losses.length, 'step')}`;
  if (last < least * first) return { name: 'one batch', status: 'ok', text: seen };
  const advice =
    peak > rate
      ? 'Lower optimizer.learningRate'
      : 'Look at the data (rectiflow data preview), and whether the model is far too small for them';
  return {
    name: 'one batch',
    status: 'fail',
    text: `${seen}: it should fall by a tenth at least, and more. ${advice}`,
  };
}
