import { learningRate } from '../../optim/schedule.ts';
import type { RunConfig } from '../../config/config.ts';
import { initialShare, mostInitial, warmer } from '../../train/monitor/cold-average.ts';
import { highRate, leastMovement } from '../../train/monitor/not-falling.ts';
import { type Check, firstOf } from './check.ts';
import { counted } from '../../tensor/counted.ts';

/** Above which a new model wants a warm-up. */
const rateToWarmUp = 3e-4;
export function checkLearningRate({ optimizer, train }: Pick<RunConfig, 'optimizer' | 'train'>): Check {
  const { learningRate: peak, warmupSteps, decay: kind, floor } = optimizer;
  const { steps } = train;
  let movement = 0;
  for (let step = 1; step <= steps; step++)
    movement += learningRate(step, { kind, peak, warmupSteps, floor, totalSteps: steps });
  return firstOf('learning rate', `${peak}, ${warmupSteps} of ${counted(steps, 'step')} of warm-up`, [
    [
      movement < leastMovement,
      'fail',
      `the learning rates of ${counted(steps, 'step')} add up to ${movement.toPrecision(2)}, which moves no weight far: raise optimizer.learningRate (1e-4 is usual; it is ${peak}), or train longer`,
    ],
    [
      peak >= highRate,
      'warn',
      `optimizer.learningRate is ${peak}, with which transformers seldom train: 1e-4 to 2e-3 are usual`,
    ],
    [
      peak > rateToWarmUp && warmupSteps === 0,
      'warn',
      `optimizer.learningRate of ${peak} without a warm-up may diverge at once: set optimizer.warmupSteps to 100`,
    ],
    [
      warmupSteps > steps / 2,
      'warn',
      `${warmupSteps} of ${counted(steps, 'step')} are warm-up: lower optimizer.warmupSteps to a tenth of the steps`,
    ],
  ]);
}

export function checkAverage({ ema, train }: Pick<RunConfig, 'ema' | 'train'>): Check {
  const initial = initialShare(train.steps, ema);
  return firstOf('average', `ema.decay ${ema.decay} over ${counted(train.steps, 'step')}`, [
    [
      initial > mostInitial,
      'warn',
      `with ema.decay ${ema.decay} ${(100 * initial).toFixed(0)} % of the last average are still the weights that training begins with. ${ema.ramp ? warmer(train.steps) : 'Set ema.ramp to true, or a smaller decay'}`,
    ],
  ]);
}
