import fc from 'fast-check';
import { expect, it } from 'vitest';
import { convertWeights } from '../../src/api/import/convert.ts';
import { describeModel } from '../../src/api/import/describe.ts';
import { fromDiffusers, toDiffusers } from '../../src/interop/diffusers.ts';
import { sizesOf } from '../../src/interop/dit-weights.ts';
import type { LazyTensors } from '../../src/interop/weights-file.ts';
import type { StoredTensors } from '../../src/tensor/stored-tensor.ts';
import { RectiflowError } from '../../src/tensor/errors.ts';
import { type Shape, sizeOf } from '../../src/tensor/shape.ts';
import { tinyDiT } from '../support/models.ts';
import { storedWeights } from '../support/stored-weights.ts';

const options = { heads: 2, imageSize: [8, 12] } as const;

function lazy(tensors: StoredTensors): LazyTensors {
  return new Map([...tensors].map(([name, tensor]) => [name, { ...tensor, read: async () => tensor }]));
}

async function converted(tensors: LazyTensors, convention: 'sit' | 'rectiflow'): Promise<StoredTensors> {
  const sizes = sizesOf(tensors, 'x');
  const described = describeModel('x', sizes, {}, { ...options, convention });
  return convertWeights(tensors, 'x', sizes, described);
}

const extent = fc.constantFrom<number[]>(0, 1, 2, 3, 4, 8, 16, 32, 48, 64, 96, 256);
const anyShape: fc.Arbitrary<Shape> = fc.array(extent, { maxLength: 4 });
const isFromSit = fc.boolean();

it('whatever shapes weights have, they are converted or refused, and nothing else', async () => {
  const weights = storedWeights(tinyDiT());
  const name = fc.constantFrom(...weights.keys(), 'blocks.999999999.mlp.fc1.bias');
  const changes = fc.array(fc.record({ name, shape: anyShape }), { minLength: 1, maxLength: 3 });
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(changes, isFromSit, async (changed, reversed) => {
      const given = new Map(weights);
      for (const { name: key, shape } of changed)
        given.set(key, { dtype: 'F32', shape, data: new Float32Array(sizeOf(shape)) });
      await converted(lazy(given), reversed ? 'sit' : 'rectiflow').catch((error: unknown) => {
        expect(error).toBeInstanceOf(RectiflowError);
        refused++;
      });
    }),
    { numRuns: 200 },
  );
  expect(refused).toBeGreaterThan(100);
});

it('whatever shapes weights of diffusers have, they are converted or refused, and nothing else', async () => {
  const weights = toDiffusers(storedWeights(tinyDiT()), 2);
  const changes = fc.array(fc.record({ name: fc.constantFrom(...weights.keys()), shape: anyShape }), {
    maxLength: 3,
  });
  await fc.assert(
    fc.asyncProperty(changes, isFromSit, async (changed, reversed) => {
      const given = new Map(weights);
      for (const { name, shape } of changed)
        given.set(name, { dtype: 'F32', shape, data: new Float32Array(sizeOf(shape)) });
      const work = async (): Promise<unknown> =>
        converted(await fromDiffusers(lazy(given), 'x'), reversed ? 'sit' : 'rectiflow');
      await work().catch((error: unknown) => expect(error).toBeInstanceOf(RectiflowError));
    }),
    { numRuns: 200 },
  );
});
