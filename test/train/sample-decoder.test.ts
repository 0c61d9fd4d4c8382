import { describe, expect, test } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { createModel } from '../../src/train/create-model.ts';
import { estimateMemory } from '../../src/train/memory-estimate.ts';
import type { SampleGrid } from '../../src/train/sample-grid.ts';
import { type SampleDecoder, decodeGrid, decodeInParts, shownShape } from '../../src/train/sample-decoder.ts';
import { tinyStripes } from '../support/tiny-run.ts';

/** Doubles sides; each value of channel 0 becomes four. */
const decoder: SampleDecoder = {
  pictureShape: ([, height, width]) => [1, 2 * height!, 2 * width!],
  bytes: 12_345,
  async decode(samples, [channels, height, width]) {
    const plane = height! * width!;
    const count = samples.length / (channels! * plane);
    return Float32Array.from({ length: 4 * count * plane }, (_, i) => {
      const [sample, at] = [Math.floor(i / (4 * plane)), i % (4 * plane)];
      const [y, x] = [Math.floor(at / (2 * width!)) >> 1, (at % (2 * width!)) >> 1];
      return samples[sample * channels! * plane + y * width! + x]!;
    });
  },
};

describe('samples that are no pictures', () => {
  const record = { kind: 'latents', scale: 1, shift: 0 };

  test('are shown where there is a decoder', () => {
    expect(shownShape([4, 2, 3], record, undefined)).toBeUndefined();
    expect(shownShape([4, 2, 3], record, decoder)).toEqual([1, 4, 6]);
    expect(shownShape([3, 2, 3], undefined, decoder)).toEqual([3, 2, 3]);
    expect(shownShape([7], { kind: 'expression' }, decoder)).toBeUndefined();
  });

  test('become a grid of pictures, paths among them', async () => {
    const samples = Float32Array.of(1, 2, 9, 9, 3, 4, 9, 9);
    const grid: SampleGrid = {
      shape: [2, 1, 2],
      columns: 2,
      rows: [],
      sets: [{ weights: 'ema', samples }],
      path: { columns: ['t=1'], samples: samples.subarray(0, 4) },
    };
    const pictures = await decodeGrid(grid, decoder);
    expect(pictures.shape).toEqual([1, 2, 4]);
    expect([...pictures.sets[0]!.samples]).toEqual([1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
    expect([...pictures.path.samples]).toEqual([1, 1, 2, 2, 1, 1, 2, 2]);
    expect([pictures.columns, pictures.path.columns]).toEqual([2, ['t=1']]);
  });

  test('are decoded some at a time, whatever their number', async () => {
    const samples = Float32Array.from({ length: 14 }, (_, i) => i);
    const parts: number[] = [];
    const pictures = await decodeInParts(samples, [2, 1, 1], [1, 1, 2], 3, async (part, count) => {
      parts.push(count);
      return part.map((value) => value + 100);
    });
    expect(parts).toEqual([3, 3, 1]);
    expect(pictures).toEqual(samples.map((value) => value + 100));
    const stop = new AbortController();
    const stopping = async (part: Float32Array): Promise<Float32Array> => {
      parts.push(0);
      stop.abort(new Error('stopped'));
      return part;
    };
    const stopped = decodeInParts(samples, [2, 1, 1], [1, 1, 2], 3, stopping, stop.signal);
    await expect(stopped).rejects.toThrow('stopped');
    expect(parts).toEqual([3, 3, 1, 0]);
  });

  test('take the memory of their pictures and of decoding them', () => {
    const facts = { name: 'latents', count: 9, shape: [1, 8, 12], record };
    const config = resolveConfig(
      { ...tinyStripes, model: { ...tinyStripes.model, classes: 0 }, sample: { perClass: 2, steps: 1 } },
      { facts },
    );
    const asked = { config, backend: referenceBackend(), model: createModel(config.model), microBatch: 5 };
    const [without, shown] = [undefined, decoder].map(
      (each) => estimateMemory({ ...asked, source: facts, decoder: each }).data,
    );
    const asPictures = estimateMemory({ ...asked, source: { ...facts, record: undefined! } }).data;
    // Two sets of four pictures of 16x24, and paths of two in nine pictures each, which may be there twice.
    expect(shown! - asPictures).toBe(12_345 + 4 * 384 * (2 * 4 + 2 * 9 * 2));
    expect(without!).toBeLessThan(asPictures);
  });
});
