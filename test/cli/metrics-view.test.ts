import { expect, it } from 'vitest';
import { describeNumbers, describeOutcome } from '../../src/cli/metrics-view.ts';

const last = {
  step: 2000,
  gradNorm: 0.25,
  updateRatio: 0.0012,
  emaDistance: 0.03,
  lossByTime: [0.5, null, 0.2, 0.4],
  samplesPerSecond: 148,
  mfu: 0.614,
  dataWait: 0.12,
  peakMemory: 2 ** 30,
};
const evaluated = { step: 1500, heldOutLoss: 0.213, heldOutLossEma: 0.209, trainedLoss: 0.208 };

it('the numbers of a run are told in a few lines', () => {
  expect(describeNumbers(last, evaluated)).toEqual([
    ['loss by t', '0.500, -, 0.200, 0.400, from data to noise'],
    ['step', 'gradient norm 0.250, changes 1.2e-3 of the weights, EMA 0.0300 away from them'],
    ['held out', 'loss 0.213, with EMA weights 0.209, on samples of the training 0.208, at step 1,500'],
    [
      'speed',
      '148 samples/s, 61 % of the peak of the machine, 12 % waiting for data, 1.00 GiB of memory at most',
    ],
  ]);
});

it('the end of a run tells what the loss of held-out samples is, where there are any', () => {
  const unconditional = { ...last, ...evaluated, heldOutLossUnconditional: 0.25 };
  expect(describeOutcome({ ...unconditional, dataWait: 0 })).toEqual([
    [
      'held out',
      'loss 0.213, with EMA weights 0.209, without conditions 0.250, on samples of the training 0.208',
    ],
    ['speed', '148 samples/s, 61 % of the peak of the machine, 1.00 GiB of memory at most'],
  ]);
  expect(describeOutcome(last).map(([name]) => name)).toEqual(['speed']);
});

it('runs of older versions have less to tell', () => {
  expect(describeNumbers({ step: 3, gradNorm: 1, samplesPerSecond: 5 }, undefined)).toEqual([
    ['speed', '5.00 samples/s'],
  ]);
  expect(describeNumbers({}, undefined)).toEqual([]);
});

it('of an autoencoder there are the parts of its loss, and how far pictures are from theirs', () => {
  const { lossByTime: _, ...others } = last;
  const learnt = { ...others, lossParts: { reconstruction: 0.0512, kl: 2.31 } };
  const measured = { ...evaluated, heldOutPsnr: 24.06, heldOutL1: 0.0498 };
  const heldOut =
    'loss 0.213, with EMA weights 0.209, on samples of the training 0.208, PSNR 24.1 dB, mean absolute error 0.0498';
  expect(describeNumbers(learnt, measured).slice(0, 3)).toEqual([
    ['loss', 'reconstruction 0.0512, KL 2.31'],
    ['step', 'gradient norm 0.250, changes 1.2e-3 of the weights, EMA 0.0300 away from them'],
    ['held out', `${heldOut}, at step 1,500`],
  ]);
  expect(describeOutcome({ ...learnt, ...measured }).slice(0, 2)).toEqual([
    ['loss', 'reconstruction 0.0512, KL 2.31'],
    ['held out', heldOut],
  ]);
});
