import { describe, expect, it } from 'vitest';
import type { Reading, WatchedConfig } from '../../../src/train/monitor/detector.ts';
import { Monitor } from '../../../src/train/monitor/monitor.ts';
import digitsRun from './digits-run.json' with { type: 'json' };

const config: WatchedConfig = {
  ema: { decay: 0.999, ramp: true },
  train: { steps: 1000, sampleEvery: 0 },
  optimizer: { warmupSteps: 50, clipNorm: 1 },
};

const picture = Float32Array.from({ length: 100 }, (_, i) => (i - 50) / 50);

/** What is said of a run whose steps 1, 10, 20, ... are healthy but for what `change` makes of them. */
function said(
  change: (step: number) => Partial<Reading>,
  { settings = {}, values = picture, last = 1000, hasBegunTrained = false }: Options = {},
): string[] {
  const monitor = new Monitor({ ...config, ...settings }, { samples: 500, hasBegunTrained });
  monitor.see(values, true);
  const steps = Array.from({ length: last / 10 + 1 }, (_, i) => Math.max(1, 10 * i));
  return steps.flatMap((step) =>
    monitor.read({
      step,
      loss: (2 / (1 + step / 50)) * (1 + 0.1 * Math.sin(step)),
      learningRate: 1e-3,
      gradNorm: 1 + 0.5 * Math.cos(step),
      seconds: step / 10,
      dataWait: 0.01,
      epoch: step / 10,
      ...change(step),
    }),
  );
}

interface Options {
  readonly settings?: Partial<WatchedConfig>;
  readonly values?: Float32Array;
  readonly last?: number;
  readonly hasBegunTrained?: boolean;
}

describe('nothing is said', () => {
  it('of a healthy run', () => {
    const measured = (step: number): Partial<Reading> => ({
      heldOutLoss: 0.3 + 1 / step,
      heldOutLossUnconditional: 0.32 + 1 / step,
      emaDistance: 0.05,
      updateRatio: 1e-3,
      gradNormByBlock: { 'blocks.0': step === 1 ? 0 : 0.3, final: 1 },
    });
    expect(said(measured)).toEqual([]);
  });

  it('of the recipe digits, as it was logged', () => {
    const monitor = new Monitor(
      { ...config, ema: { decay: 0.995, ramp: true } },
      { samples: 60_000, hasBegunTrained: false },
    );
    for (const [step, loss, learningRate, gradNorm, dataWait, epoch] of digitsRun as Row[])
      expect(
        monitor.read({ step, loss, learningRate, gradNorm, seconds: step / 20, dataWait, epoch }),
      ).toEqual([]);
  });

  it('of one that goes on where the loss is level', () => {
    const level = (step: number): Partial<Reading> => ({ step: step + 5000, loss: 0.2 });
    expect(said(level, { hasBegunTrained: true })).toEqual([]);
  });

  it('of one that began with trained weights, whose loss need not fall', () => {
    const rising = (step: number): Partial<Reading> => ({ loss: step === 1 ? 0.011 : 0.025 });
    expect(said(rising, { hasBegunTrained: true })).toEqual([]);
    expect(said(rising)).not.toEqual([]);
  });
});

type Row = [number, number, number, number, number, number];

describe('is said once', () => {
  const scaled = (scale: number, shift = 0): Options => ({
    values: picture.map((value) => scale * value + shift),
  });
  const heldOut = (step: number): number => 0.3 + Math.abs(step - 400) / 2000;
  const cases: [string, RegExp, (step: number) => Partial<Reading>, Options?][] = [
    [
      'bytes',
      /^The data are not in \[-1, 1\]: .* from 0 to 252, .*2 x \/ 255 - 1/,
      () => ({}),
      scaled(127.5, 127.5),
    ],
    ['halves', /^The data are not in \[-1, 1\]: .* from 0 to 0.99.*by 2 x - 1/, () => ({}), scaled(0.5, 0.5)],
    ['wide', /^The data are not in \[-1, 1\]: .* largest magnitude/, () => ({}), scaled(3)],
    [
      'too small a rate',
      /not falling: .*learning rate is too small/,
      () => ({ loss: 2, learningRate: 1e-9 }),
    ],
    ['too large a rate', /not falling: .*too large \(10\)/, () => ({ loss: 2, learningRate: 10 })],
    [
      'too large updates',
      /not falling: .*too large \(0\.001, a step changes 0\.3 of/,
      () => ({ loss: 2, updateRatio: 0.3 }),
    ],
    ['nothing to learn', /not falling: .*Look whether the data can be learnt/, () => ({ loss: 2 })],
    [
      'a dead block',
      /^The gradient of final has been zero/,
      () => ({ gradNormByBlock: { final: 0, other: 1 } }),
    ],
    [
      'exploding gradients',
      /^Gradients explode: their norm is 1000 at step 630, where 0\.989 was usual\. Lower/,
      (step) => (step > 600 ? { gradNorm: 1000 } : {}),
    ],
    [
      'an exploding loss',
      /^Training diverges: the loss is 100/,
      (step) => (step > 1 ? { loss: 100 } : {}),
      { last: 40 },
    ],
    ['a spike', /^The loss has spiked: 3 at step 700/, (step) => (step === 700 ? { loss: 3 } : {})],
    [
      'a small set',
      /by heart: .* from 0\.3 at step 400 to .*500 samples, each seen \d+ times/,
      (step) => (step % 100 === 0 ? { heldOutLoss: heldOut(step) } : {}),
    ],
    [
      'a small set, by the loss of samples that are trained on',
      /by heart: .* while the training loss fell from 0\.6 to 0\.\d+\. /,
      (step) => (step % 100 === 0 ? { heldOutLoss: heldOut(step), trainedLoss: 1 - step / 1000 } : {}),
    ],
    [
      'labels without signal',
      /^Labels .* is 0\.3 with them and 0\.3 without/,
      (step) => (step % 100 === 0 ? { heldOutLoss: 0.3, heldOutLossUnconditional: 0.3 } : {}),
    ],
    [
      'a cold average',
      /not yet warm: after 1,000 steps with ema\.decay 0\.9999 90\.5 % of it are still the weights that training began with.*to 0\.99 or less for 1,000/,
      () => ({}),
      { settings: { ema: { decay: 0.9999, ramp: false } } },
    ],
    [
      'an average that is cold for early samples only',
      /after 100 steps .* 90\.5 % .*will be before the run ends; with ema\.ramp true/,
      () => ({}),
      { settings: { ema: { decay: 0.999, ramp: false }, train: { steps: 10_000, sampleEvery: 100 } } },
    ],
    [
      'an average far away',
      /differs from the weights by 50 % /,
      (step) => ({ emaDistance: step < 1000 ? 0.1 : 0.5 }),
    ],
    ['hungry steps', /^Steps wait for data 50 % of the time/, () => ({ dataWait: 0.5 })],
  ];

  it.each(cases)('%s', (_, sentence, change, options) => {
    expect(said(change, options)).toEqual([expect.stringMatching(sentence)]);
  });

  it('hungry steps, only in a run that is longer than a moment', () => {
    expect(said(() => ({ dataWait: 0.5, seconds: 1 }))).toEqual([]);
  });

  it('that no gradient reaches any weight', () => {
    expect(said(() => ({ loss: 2, gradNorm: 0 }))).toEqual([
      expect.stringMatching(/^The gradient of all weights has been zero/),
      expect.stringMatching(/not falling: .*The gradient is zero/),
    ]);
  });

  const reading = { step: 1, loss: 100, learningRate: 1e-3, gradNorm: 1, seconds: 0, dataWait: 0, epoch: 0 };

  it('of latents that are not scaled', () => {
    const monitor = new Monitor(config, { samples: 500, hasBegunTrained: false });
    monitor.see(
      picture.map((value) => 20 * value),
      false,
    );
    expect(monitor.read(reading)).toEqual([
      expect.stringMatching(/not of the scale of the noise: .*data\.scale/),
    ]);
    expect(monitor.read({ ...reading, step: 2 })).toEqual([]);
  });

  it.each([
    [
      1,
      /^The model sees latents of the autoencoder a{12} with the mean 0 and the deviation 1, by scale 2 and shift 1, 3\.$/,
    ],
    [3, /the deviation 3, .* About 0 and 1 are wanted: "rectiflow data check" says/],
  ])('in what scale latents are seen, whether or not it is right: deviation %d', (deviation, wanted) => {
    const monitor = new Monitor(config, { samples: 100, hasBegunTrained: false });
    const latents = { kind: 'latents', scale: 2, shift: [1, 3], autoencoder: 'a'.repeat(64) } as const;
    monitor.see(Float32Array.of(-deviation, deviation), false, latents);
    expect(monitor.read(reading)).toEqual([expect.stringMatching(wanted)]);
    expect(monitor.read({ ...reading, step: 2 })).toEqual([]);
  });
});
