import { type Detector, ofOneSize } from './detector.ts';
import { brief, median } from './statistics.ts';

/** Logged steps in a row, so that a single bad batch is left to the detector of spikes. */
const inRow = 3;
/** Norms before that are enough to know what is usual. */
const known = 10;
/** Gradients shrink or grow by tens over a healthy run, not by hundreds at once. */
const growth = 100;
/** A model that predicts nothing has the loss it began with: one far above is doing harm. */
const beyondStart = 10;

/** Gradients, or the loss itself, that grow beyond all bounds. */
export const exploding: Detector = (all, { config }) => {
  const readings = ofOneSize(all);
  if (readings.length <= inRow) return undefined;
  const recent = readings.slice(-inRow);
  const last = recent.at(-1)!;
  const [first] = readings;
  const advice = `Lower optimizer.learningRate (now ${brief(last.learningRate)}) to a tenth, lengthen the warm-up${
    config.optimizer.clipNorm === 0 ? ', and set optimizer.clipNorm to 1' : ''
  }; begin at a checkpoint from before.`;
  const before = readings.slice(0, -inRow);
  const usual = median(before.map(({ gradNorm }) => gradNorm));
  if (before.length >= known && recent.every(({ gradNorm }) => gradNorm > growth * usual && gradNorm > 1)) {
    return `Gradients explode: their norm is ${brief(last.gradNorm)} at step ${last.step}, where ${brief(usual)} was usual. ${advice}`;
  }
  if (first!.step === 1 && recent.every(({ loss }) => loss > beyondStart * first!.loss)) {
    return `Training diverges: the loss is ${brief(last.loss)} at step ${last.step}, and was ${brief(first!.loss)} before anything was learnt. ${advice}`;
  }
  return undefined;
};
