import { expect, it } from 'vitest';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import { drawLatents, posteriorDivergence } from '../../../src/models/autoencoders/autoencoder.ts';
import { trace } from '../../../src/program/index.ts';
import { randomValues } from '../../support/random.ts';

const shape = [2, 3, 2, 1] as const;
const size = 12;
const of = (seed: number): Float32Array => Float32Array.from(randomValues(size, seed));
const given = { mean: of(1), logVariance: of(2), noise: of(3) };

it('a latent is the mean and the noise as wide as the deviation', async () => {
  const program = trace('draw', (graph) => {
    const [mean, logVariance, noise] = Object.keys(given).map((name) => graph.input(name, shape));
    return {
      drawn: drawLatents({ mean: mean!, logVariance }, noise!),
      certain: drawLatents({ mean: mean! }, noise!),
    };
  });
  const executable = await referenceBackend({ float: 'float64' }).compile(program, new Map());
  await executable.run(given);
  const { drawn, certain } = await executable.read(['drawn', 'certain']);
  given.mean.forEach((mean, i) => {
    expect(drawn[i]).toBeCloseTo(mean + Math.exp(given.logVariance[i]! / 2) * given.noise[i]!, 9);
    expect(certain[i]).toBe(mean);
  });
});

it('the divergence from N(0, 1) is that of each picture', async () => {
  const program = trace('divergence', (graph) => {
    const [mean, logVariance] = ['mean', 'logVariance'].map((name) => graph.input(name, shape));
    return { divergence: posteriorDivergence({ mean: mean!, logVariance: logVariance! }) };
  });
  const executable = await referenceBackend({ float: 'float64' }).compile(program, new Map());
  const { noise: _, ...posterior } = given;
  await executable.run(posterior);
  const { divergence } = await executable.read(['divergence']);
  const terms = Array.from(
    given.mean,
    (mean, i) => (mean ** 2 + Math.exp(given.logVariance[i]!) - given.logVariance[i]! - 1) / 2,
  );
  const sums = [terms.slice(0, 6), terms.slice(6)].map((some) => some.reduce((a, b) => a + b, 0));
  sums.forEach((sum, i) => expect(divergence[i]).toBeCloseTo(sum, 9));
});
