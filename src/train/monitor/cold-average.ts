import { type EmaSettings, emaWeight } from '../../optim/ema.ts';
import type { Detector } from './detector.ts';
import { percent } from './statistics.ts';
import { counted } from '../../tensor/counted.ts';

/** Of the first weights in the average: more shows in samples. */
export const mostInitial = 0.05;
/** Of the weights' norm. A warm average differs by some hundredths. */
const mostDistance = 0.3;

/** The averaged weights, which samples are made with, still hold much of what training began with. Asked when samples are due. */
export const coldAverage: Detector = (readings, { config }) => {
  const { ema, train } = config;
  const { steps, sampleEvery } = train;
  const { step, emaDistance = 0 } = readings.at(-1)!;
  const isLast = step === steps;
  if (!isLast && !(sampleEvery > 0 && step >= sampleEvery)) return undefined;
  const initial = initialShare(step, ema);
  // Early in a run weights move fast, and their average is far behind for good reasons.
  if (initial <= mostInitial && !(isLast && emaDistance > mostDistance)) return undefined;
  const why =
    initial > mostInitial
      ? `after ${counted(step, 'step')} with ema.decay ${ema.decay} ${percent(initial)} of it are still the weights that training began with`
      : `at step ${step} it differs from the weights by ${percent(emaDistance)} of their norm`;
  const willBeWarm = !isLast && initialShare(steps, ema) <= mostInitial;
  const advice = willBeWarm
    ? 'It will be before the run ends; with ema.ramp true early samples are good too'
    : warmer(steps);
  return `The average of the weights is not yet warm: ${why}, so samples look worse than the model is. ${advice}.`;
};

/** Of fewer steps no average is of use: it is as old as they are. */
const fewestAveraged = 20;

/** What to do where the average of a run of so many steps is not warm at its end. */
export function warmer(steps: number): string {
  if (steps < fewestAveraged) return `Train longer: ${counted(steps, 'step')} are too few for an average`;
  return `Set ema.decay to ${Number((1 - 10 / steps).toFixed(7))} or less for ${counted(steps, 'step')}, or train longer`;
}

/** Of samples that are made with an average that still holds much of what training began with; undefined where it is warm. */
export function describeCold(updates: number, ema: EmaSettings): string | undefined {
  const initial = initialShare(updates, ema);
  if (initial <= mostInitial) return undefined;
  return (
    `the average of the weights is not yet warm: after ${counted(updates, 'step')} ${percent(initial)} of it are still the weights that ` +
    'training began with. With --weights model (weights: "model") samples are made with the weights as they are'
  );
}

/** How much of the average is what it was before the first step: the product of all decays. */
export function initialShare(steps: number, ema: EmaSettings): number {
  let share = 1;
  // The ramp makes it negligible within tens of steps.
  for (let step = 1; step <= steps && share > mostInitial; step++) share *= 1 - emaWeight(step, ema);
  return share;
}
