import { greatest } from '../../tensor/extremes.ts';
import { type Detector, type Facts, type Reading, ofOneSize } from './detector.ts';
import { brief, mean, median } from './statistics.ts';

/** Steps after the warm-up by which any model that learns has left the loss of predicting nothing. */
const patience = 200;
/** Logged steps without which there is no telling: the loss of a single batch is noisy. */
const known = 10;
/** The loss falls by a quarter or more within the first hundred steps where all is well. */
const least = 0.95;
/**
 * AdamW moves a weight by the learning rate per step at most. New weights are a few hundredths: as long as the rates add up to
 * less than this, nothing can have been learnt.
 */
export const leastMovement = 5e-3;
/** The part of the weights that a step may change: 1e-3 is usual. */
const mostUpdate = 0.05;
/** Rates from which AdamW seldom trains a transformer. */
export const highRate = 0.01;

/** The loss stays where it began. Only weights that this process drew can be judged: of trained ones it may well be level. */
export const notFalling: Detector = (all, facts) => {
  const readings = ofOneSize(all);
  const [first] = readings;
  const last = readings.at(-1)!;
  const isEarly = last.step < facts.config.optimizer.warmupSteps + patience || readings.length < known;
  if (facts.hasBegunTrained || isEarly) return undefined;
  // Of the later half, so that neither noise nor a spike counts.
  const loss = median(readings.slice(readings.length / 2).map((reading) => reading.loss));
  if (loss < least * first!.loss) return undefined;
  const seen = `The loss is not falling: it was ${brief(first!.loss)} at step 1, and is about ${brief(loss)} at step ${last.step}.`;
  return `${seen} ${reason(readings, facts)}`;
};

function reason(readings: readonly Reading[], { values }: Facts): string {
  const last = readings.at(-1)!;
  const movement = last.step * mean(readings.map(({ learningRate }) => learningRate));
  const peak = greatest(readings.map(({ learningRate }) => learningRate));
  const { updateRatio } = last;
  if (last.gradNorm === 0) return 'The gradient is zero: see what is said of that.';
  if (movement < leastMovement) {
    return `The learning rate is too small: over all steps so far a weight can have moved by ${brief(movement)} at most. Raise optimizer.learningRate (1e-4 is usual; it is ${brief(peak)} at most so far), or shorten the warm-up.`;
  }
  if ((updateRatio ?? 0) > mostUpdate || peak >= highRate) {
    const why =
      updateRatio === undefined ? '' : `, a step changes ${brief(updateRatio)} of the weights' norm`;
    return `The learning rate is probably too large (${brief(peak)}${why}): try a tenth of it, with a warm-up.`;
  }
  const range = values ? ` They hold values from ${brief(values.least)} to ${brief(values.most)}.` : '';
  return `Look whether the data can be learnt (rectiflow data preview), then try another learning rate, ten times larger and smaller.${range}`;
}
