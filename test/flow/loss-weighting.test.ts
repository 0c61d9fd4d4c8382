import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { type LossWeighting, lossWeights } from '../../src/flow/loss-weighting.ts';
import { meanLoss } from '../../src/flow/objective.ts';
import { interpolate, velocityTarget } from '../../src/flow/rectified-flow.ts';
import { trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

type Weighted = Exclude<LossWeighting, { kind: 'none' }>;

async function weights(weighting: Weighted, times: number[]): Promise<HostArray> {
  const program = trace('weights', (graph) => ({
    w: lossWeights(weighting, graph.input('t', [times.length])),
  }));
  const executable = await referenceBackend({ float: 'float64' }).compile(program, new Map());
  await executable.run({ t: Float64Array.from(times) });
  return (await executable.read(['w'])).w;
}

const times = [0.001, 0.1, 0.3, 0.309, 0.5, 0.9, 0.999];
const snr = (t: number): number => ((1 - t) / t) ** 2;

describe('weights', () => {
  it('by min-SNR are those of the error in the data, which is t times that of the velocity', async () => {
    const w = await weights({ kind: 'min-snr', gamma: 5 }, times);
    times.forEach((t, i) => expect(w[i]! / (Math.min(snr(t), 5) * t ** 2)).toBeCloseTo(1, 10));
  });

  it('by the sigmoid are those of the variational bound, whose error is that of the noise', async () => {
    const bias = 1.5;
    const w = await weights({ kind: 'sigmoid', bias }, times);
    times.forEach((t, i) => {
      const sigmoid = 1 / (1 + Math.exp(Math.log(snr(t)) - bias));
      const slope = 1 / (t * (1 - t)); // half of -d log SNR / dt
      expect(w[i]! / (sigmoid * slope * (1 - t) ** 2)).toBeCloseTo(1, 10);
    });
  });

  it.each<Weighted>([
    { kind: 'min-snr', gamma: 5 },
    { kind: 'sigmoid', bias: 2 },
  ])('of %j are numbers at both ends', async (weighting) => {
    const [data, noise] = await weights(weighting, [0, 1]);
    expect([data, noise]).toEqual([0, 0]);
  });
});

it('a weighted loss is the mean of weighted means, and the loss beside it is plain', async () => {
  const shape = [2, 1, 2];
  const program = trace('loss', (graph) => {
    const pairs = { x0: graph.input('x0', shape), x1: graph.input('x1', shape), t: graph.input('t', [2]) };
    const objective = { name: 'own', mix: interpolate, target: velocityTarget, weights: (t: Tensor) => t };
    const network = (xt: Tensor): Tensor => xt;
    return { ...meanLoss(objective, network, pairs) };
  });
  const executable = await referenceBackend().compile(program, new Map());
  await executable.run({
    x0: Float32Array.of(1, 2, 3, 4),
    x1: Float32Array.of(5, 6, 7, 0),
    t: Float32Array.of(0.25, 0.75),
  });
  // x_t - (x1 - x0): (2 - 4, 3 - 4) and (6 - 4, 1 + 4).
  const [first, second] = [(4 + 1) / 2, (4 + 25) / 2];
  expect([...(await executable.read(['losses'])).losses]).toEqual([first, second]);
  expect((await executable.read(['loss'])).loss[0]).toBeCloseTo((first + second) / 2, 5);
  expect((await executable.read(['minimised'])).minimised[0]).toBeCloseTo(
    (0.25 * first + 0.75 * second) / 2,
    5,
  );
});
