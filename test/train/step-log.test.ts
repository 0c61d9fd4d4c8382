import { expect, it } from 'vitest';
import { StepLog } from '../../src/train/step-log.ts';

const logged = {
  loss: 1,
  learningRate: 1,
  gradNorm: 1,
  skipped: 0,
  epoch: 0,
  gradNormByBlock: {},
  updateRatio: 0,
  emaDistance: 0,
};

it('a line counts the samples since the line before, and what they cost in samples of the own size', async () => {
  const log = new StepLog({ log: {}, memory: undefined, step: 0, seconds: 0 });
  await log.measurePeak(async () => 1000);
  log.watch.start();
  log.count({ samples: 8, work: 2 });
  log.count({ samples: 4, work: 4 });
  log.watch.stop();
  const first = await log.write({ ...logged, step: 2 });
  expect(first.samplesPerSecond).toBeCloseTo(12 / first.seconds, 6);
  // 12 small samples that cost as much as 6 of the size that the peak is for.
  expect(first.mfu).toBeCloseTo(6 / first.seconds / 1000, 6);
  log.watch.start();
  log.count({ samples: 3, work: 3 });
  log.watch.stop();
  const second = await log.write({ ...logged, step: 3 });
  expect(second.samplesPerSecond * (second.seconds - first.seconds)).toBeCloseTo(3, 6);
  log.count({ samples: 100, work: 100 });
  await log.goBack(3);
  log.watch.start();
  log.count({ samples: 5, work: 5 });
  log.watch.stop();
  const third = await log.write({ ...logged, step: 4 });
  expect(third.samplesPerSecond * (third.seconds - second.seconds)).toBeCloseTo(5, 6);
});
