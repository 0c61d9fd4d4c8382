import type { Detector } from './detector.ts';

/** Logged steps in a row: in the first ones the gates of a new model's blocks are zero, and so are their gradients. */
const patience = 5;
const startsAt = 20;

/** Weights that no gradient reaches: a dead initialisation, a layer whose inputs or outputs are all zero. */
export const deadGradient: Detector = (readings) => {
  const recent = readings.filter(({ step }) => step > startsAt).slice(-patience);
  if (recent.length < patience) return undefined;
  const advice =
    'Such weights never change: look for weights that begin with zero on both sides of a layer, for imported weights that are zero, and for data that are all the same.';
  if (recent.every(({ gradNorm }) => gradNorm === 0)) {
    return `The gradient of all weights has been zero in the last ${patience} logged steps. ${advice}`;
  }
  const dead = Object.keys(recent.at(-1)!.gradNormByBlock ?? {}).filter((block) =>
    recent.every(({ gradNormByBlock }) => gradNormByBlock?.[block] === 0),
  );
  if (dead.length === 0) return undefined;
  return `The gradient of ${dead.join(', ')} has been zero in the last ${patience} logged steps. ${advice}`;
};
