import { type Detector, ofOneSize } from './detector.ts';
import { brief, median, robustDeviation } from './statistics.ts';

const window = 50;
const known = 20;
/** Of the window's robust deviations. The loss of a small batch is noisy, but not skewed so far. */
const deviations = 10;
/** Where losses hardly differ, ten deviations are little: a spike is also this much above what is usual. */
const above = 1.5;

/** A loss far above those before it. */
export const spikes: Detector = (all) => {
  const readings = ofOneSize(all);
  const before = readings.slice(-window - 1, -1).map(({ loss }) => loss);
  if (before.length < known) return undefined;
  const { loss, step } = readings.at(-1)!;
  const usual = median(before);
  if (loss <= usual + deviations * robustDeviation(before) || loss <= above * usual) return undefined;
  return (
    `The loss has spiked: ${brief(loss)} at step ${step}, where ${brief(usual)} was usual in the ${before.length} logged steps before. ` +
    'Look for odd samples (rectiflow data check); if it happens again, lower optimizer.learningRate, set optimizer.clipNorm to 1, or optimizer.betas to [0.9, 0.95].'
  );
};
