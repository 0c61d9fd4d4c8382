import type { Detector } from './detector.ts';
import { brief, mean } from './statistics.ts';
import { counted } from '../../tensor/counted.ts';

/** Measurements in a row above the best one: held-out losses are of fixed noise, and so differ little by chance. */
const inRow = 3;
const worse = 1.05;
/** Losses of steps that are averaged where that of trained samples is not measured. */
const averaged = 10;

/** The held-out loss rises while the training loss falls: samples are learnt by heart. */
export const smallData: Detector = (readings, { samples }) => {
  const measured = readings.flatMap(({ heldOutLoss }, at) =>
    heldOutLoss === undefined ? [] : [{ heldOutLoss, at }],
  );
  if (measured.length <= inRow) return undefined;
  const best = measured.reduce((least, other) => (other.heldOutLoss < least.heldOutLoss ? other : least));
  const recent = measured.slice(-inRow);
  if (!recent.every(({ heldOutLoss }) => heldOutLoss > worse * best.heldOutLoss)) return undefined;
  const trained = (at: number): number =>
    readings[at]!.trainedLoss ??
    mean(readings.slice(Math.max(0, at + 1 - averaged), at + 1).map(({ loss }) => loss));
  const [then, now] = [trained(best.at), trained(recent.at(-1)!.at)];
  if (now >= then) return undefined;
  const last = readings.at(-1)!;
  return (
    `The model learns its samples by heart: the held-out loss has risen from ${brief(best.heldOutLoss)} at step ${readings[best.at]!.step} to ${brief(recent.at(-1)!.heldOutLoss)}, ` +
    `while the training loss fell from ${brief(then)} to ${brief(now)}. The set is too small for this model and length: ${counted(samples, 'sample')}, each seen ${brief(last.epoch)} times. ` +
    'Use more data or transforms such as horizontal-flip, a smaller model, or fewer steps: the checkpoint nearest the lowest held-out loss is the best.'
  );
};
