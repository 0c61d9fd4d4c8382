import { describe, expect, it } from 'vitest';
import { checkAverage } from '../../../src/api/doctor/settings.ts';
import { sample } from '../../../src/api/sample.ts';
import { train } from '../../../src/api/train.ts';
import { coldAverage, describeCold } from '../../../src/train/monitor/cold-average.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { stripes, tinyStripes } from '../../support/tiny-run.ts';

const reading = { loss: 1, learningRate: 1e-3, gradNorm: 1, seconds: 1, dataWait: 0, epoch: 1 };

describe('an average of a run of few steps', () => {
  it.each([
    [1, true],
    [1, false],
    [9, false],
    [19, false],
  ])('of %i, ramp %s, is never to get a decay that there is not', (steps, ramp) => {
    const ema = { decay: 0.995, ramp };
    const config = { ema, train: { steps, sampleEvery: 0 }, optimizer: { warmupSteps: 0, clipNorm: 0 } };
    const said = coldAverage([{ ...reading, step: steps }], {
      config,
      hasBegunTrained: false,
      samples: 10,
      values: undefined,
    });
    expect(said).toMatch(/Train longer: \d+ steps? are too few for an average\.$/);
    expect(said).not.toContain('ema.decay to');
  });

  it('is advised what it does not have already', () => {
    const check = (ramp: boolean): string =>
      checkAverage({ ema: { decay: 0.9999, ramp }, train: { steps: 1 } } as never).text;
    expect(check(false)).toContain('Set ema.ramp to true');
    expect(check(true)).toContain('Train longer');
  });
});

it('samples of an average that is not warm say so, and with what they would be better', async () => {
  const config = { ...tinyStripes, train: { ...tinyStripes.train, steps: 1 }, backend: { threads: 1 } };
  const { run } = await train(config, { runs: await temporaryFolder(), source: stripes() });
  const notices: string[] = [];
  const options = { labels: [0], count: 1, steps: 1, onNotice: (text: string) => notices.push(text) };
  await sample(run, options);
  expect(notices).toEqual([
    expect.stringMatching(/^the average .* after 1 step 18\.2 % of it .* --weights model/),
  ]);
  await sample(run, { ...options, weights: 'model' });
  expect(notices).toHaveLength(1);
  expect(describeCold(1000, { decay: 0.99, ramp: false })).toBeUndefined();
});
