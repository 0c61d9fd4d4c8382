import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readSafetensors } from '../../src/formats/safetensors-file.ts';
import { patchResizes } from '../../src/models/grow-patches.ts';
import { positionTable } from '../../src/nn/position-table.ts';
import { bilinearMatrix, pseudoInverseOfTranspose } from '../../src/nn/resize-axes.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { randomValues } from '../support/random.ts';

const folder = fileURLToPath(new URL('../../../shared/golden/grow-positions/', import.meta.url));
const file = join(folder, 'grow.safetensors');
const golden = existsSync(file) ? (await readSafetensors(file)).tensors : undefined;
const goldenReason = golden ? '' : ' (skipped where there is no ../shared)';
const stored = (name: string): Float32Array => golden!.get(name)!.data as Float32Array;

function compareClose(found: ArrayLike<number>, wanted: ArrayLike<number>, within = 1e-6): void {
  expect(found.length).toBe(wanted.length);
  let most = 0;
  for (let i = 0; i < wanted.length; i++) most = Math.max(most, Math.abs(found[i]! - wanted[i]!));
  expect(most).toBeLessThan(within);
}

const four = { width: 12, channels: 3, patchSize: 4 };
const resized = (name: string, to: number, kernels: 'pseudo-inverse' | 'bilinear', from = four) =>
  patchResizes(from, to, kernels).get(name)!;
const kernel = 'x_embedder.proj.weight';
const head = 'final_layer.linear.weight';

describe.skipIf(!golden)(`values made by numpy${goldenReason}`, () => {
  it.each([
    ['4to8', 4, 8],
    ['8to4', 8, 4],
  ] as const)('one axis of a resize %s, and the pseudo-inverse of its transpose', (name, from, to) => {
    const matrix = bilinearMatrix(from, to);
    compareClose(matrix.values, stored(`bilinear.${name}`));
    compareClose(pseudoInverseOfTranspose(matrix).values, stored(`pi.${name}`));
  });

  it.each([
    ['pseudo-inverse', 'kernel8.pi'],
    ['bilinear', 'kernel8.bilinear-mean'],
  ] as const)('kernels of patches of 4 become those of 8 by the %s', (kernels, name) => {
    const { shape, resize } = resized(kernel, 8, kernels);
    expect(shape).toEqual([12, 3, 8, 8]);
    compareClose(resize(stored('kernel4'), 'weights'), stored(name));
  });

  it('kernels of patches of 8 become those of 4', () => {
    const { shape, resize } = resized(kernel, 4, 'pseudo-inverse', { ...four, patchSize: 8 });
    expect(shape).toEqual([12, 3, 4, 4]);
    compareClose(resize(stored('kernel8'), 'weights'), stored('kernel4.pi'));
  });

  it('a patch that is resized makes the token that it made', () => {
    const weights = resized(kernel, 8, 'pseudo-inverse').resize(stored('kernel4'), 'weights');
    compareClose(tokensOf(stored('image32.patchwise'), 32, weights, 8), stored('tokens'), 1e-5);
  });

  it('the last layer says the patch that it said, resized', () => {
    const from = { ...four, width: 64 };
    const weights = resized(head, 8, 'pseudo-inverse', from);
    expect(weights.shape).toEqual([192, 64]);
    compareClose(weights.resize(stored('head4.weight'), 'weights'), stored('head8.weight'));
    const bias = resized('final_layer.linear.bias', 8, 'bilinear', from);
    expect(bias.shape).toEqual([192]);
    compareClose(bias.resize(stored('head4.bias'), 'weights'), stored('head8.bias'));
  });

  it.each([
    ['pos.4x4', 4, 4, { kind: 'grid' }],
    ['pos.8x8', 8, 8, { kind: 'grid' }],
    ['pos.6x4', 6, 4, { kind: 'grid' }],
    ['pos.8x8.scaled', 8, 8, { kind: 'stretched', base: [4, 4] }],
    ['pos.8x8.centred', 8, 8, { kind: 'centred', base: [4, 4] }],
  ] as const)('positions %s', (name, rows, columns, positions) => {
    compareClose(positionTable(rows, columns, 64, positions), stored(name));
  });
});

/** [2, 3, side, side] by a kernel [12, 3, p, p] -> [2, 12, side / p, side / p], by its definition. */
function tokensOf(image: Float32Array, side: number, weights: Float32Array, p: number): number[] {
  const tokens: number[] = [];
  for (let b = 0; b < 2; b++)
    for (let d = 0; d < 12; d++)
      for (let top = 0; top < side; top += p)
        for (let left = 0; left < side; left += p) {
          let sum = 0;
          for (let c = 0; c < 3; c++)
            for (let i = 0; i < p; i++)
              for (let j = 0; j < p; j++)
                sum +=
                  weights[((d * 3 + c) * p + i) * p + j]! *
                  image[((b * 3 + c) * side + top + i) * side + left + j]!;
          tokens.push(sum);
        }
  return tokens;
}

describe('resizes that no file tells', () => {
  it('one axis has half-pixel centres and clamped edges', () => {
    const rows = (from: number, to: number): number[][] => {
      const { values } = bilinearMatrix(from, to);
      return Array.from({ length: to }, (_, i) => [...values.subarray(i * from, (i + 1) * from)]);
    };
    expect(rows(2, 4)).toEqual([
      [1, 0],
      [0.75, 0.25],
      [0.25, 0.75],
      [0, 1],
    ]);
    expect(rows(4, 2)).toEqual([
      [0.5, 0.5, 0, 0],
      [0, 0, 0.5, 0.5],
    ]);
  });

  const two = { width: 2, channels: 1, patchSize: 2 };

  it('of a bilinear kernel keep the token of a flat patch', () => {
    const values = randomValues(8, 1);
    const weights = resized(kernel, 6, 'bilinear', two).resize(values, 'weights');
    for (let d = 0; d < 2; d++) {
      const sum = (all: ArrayLike<number>, count: number): number =>
        Array.from({ length: count }, (_, i) => all[d * count + i]!).reduce((a, b) => a + b, 0);
      expect(sum(weights, 36)).toBeCloseTo(sum(values, 4), 5);
    }
  });

  it('there are none where the patch stays', () => {
    expect(patchResizes(four, 4, 'bilinear').size).toBe(0);
  });

  it.each(['pseudo-inverse', 'bilinear'] as const)(
    'a gradient of weights that were resized by the %s is one of the old weights',
    (kernels) => {
      for (const [name, shape] of [
        [kernel, [2, 1, 2, 2]],
        [head, [4, 2]],
      ] as const) {
        const size = sizeOf(shape);
        const { resize } = resized(name, 5, kernels, two);
        const gradient = resize(randomValues(size, 7), 'gradients');
        // M' G, where column i of M is what the weights become whose only 1 is at i.
        const back = Array.from({ length: size }, (_, i) => {
          const column = resize(
            Array.from({ length: size }, (__, k) => (k === i ? 1 : 0)),
            'weights',
          );
          return column.reduce((sum, value, k) => sum + value * gradient[k]!, 0);
        });
        compareClose(back, randomValues(size, 7), 1e-5);
      }
    },
  );

  it('of a kernel by the pseudo-inverse make gradients grow as patches do', () => {
    const picture = bilinearMatrix(2, 4).values;
    const values = randomValues(8, 2);
    const gradients = resized(kernel, 4, 'pseudo-inverse', two).resize(values, 'gradients');
    for (let row = 0; row < 4; row++)
      for (let column = 0; column < 4; column++) {
        let wanted = 0;
        for (let i = 0; i < 2; i++)
          for (let j = 0; j < 2; j++)
            wanted += picture[row * 2 + i]! * picture[column * 2 + j]! * values[i * 2 + j]!;
        expect(gradients[row * 4 + column]).toBeCloseTo(wanted, 6);
      }
  });

  it.each([kernel, head])('squares of %s are positive, and bound the mean gradient', (name) => {
    const { resize } = resized(name, 5, 'pseudo-inverse', two);
    const means = randomValues(8, 4);
    const squares = Float32Array.from(means, (mean, i) => mean * mean * (1 + (i % 3)));
    const [grown, spread] = [resize(means, 'gradients'), resize(squares, 'squares')];
    grown.forEach((mean, i) => {
      expect(spread[i]).toBeGreaterThan(0);
      expect(Math.abs(mean)).toBeLessThanOrEqual(Math.sqrt(spread[i]!) * (1 + 1e-6));
    });
    // Where all are the same, the size of a sum of like parts is the sum of their sizes.
    const flat = resize(new Float32Array(8).fill(4), 'squares');
    const plain = resize(new Float32Array(8).fill(2), 'gradients');
    const isBilinear = name === kernel;
    if (isBilinear) flat.forEach((square, i) => expect(square).toBeCloseTo(plain[i]! ** 2, 4));
  });
});
