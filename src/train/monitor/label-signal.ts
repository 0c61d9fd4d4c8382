import type { Detector } from './detector.ts';
import { brief, mean } from './statistics.ts';

/** Measurements whose gains are averaged: weights of a single step favour one or the other by chance. */
const averaged = 3;
/** Passes over the data after which labels that mean anything are made use of. */
const leastEpochs = 2;
const leastSteps = 500;
/** Of the loss. Both losses are of the same samples, noise and times, so that nothing but the labels makes them differ. */
const least = 1e-3;

/** Held-out samples are told as well without their labels as with them. */
export const labelSignal: Detector = (readings) => {
  const measured = readings.filter(
    ({ step, epoch, heldOutLoss, heldOutLossUnconditional }) =>
      step >= leastSteps &&
      epoch >= leastEpochs &&
      heldOutLoss !== undefined &&
      heldOutLossUnconditional !== undefined,
  );
  const recent = measured.slice(-averaged);
  if (recent.length < averaged) return undefined;
  const gains = recent.map((reading) => 1 - reading.heldOutLoss! / reading.heldOutLossUnconditional!);
  if (mean(gains) >= least) return undefined;
  const { heldOutLoss, heldOutLossUnconditional, step } = recent.at(-1)!;
  return (
    `Labels (or captions) carry no signal: at step ${step} the held-out loss is ${brief(heldOutLoss!)} with them and ${brief(heldOutLossUnconditional!)} without. ` +
    'Look whether they belong to the samples beside them (rectiflow data preview); guidance will change nothing.'
  );
};
