import { expect, it } from 'vitest';
import { captionEncoderOf, checkEncoder, isSameEncoder } from '../../src/known/caption-encoder.ts';

const empty = Float32Array.from({ length: 768 }, (_, i) => Math.sin(i));

async function encoderOf(pooled: Float32Array) {
  const text = { kind: 'embeddings', length: 4, width: 768, empty: { embeddings: pooled, pooled } } as const;
  const config = { kind: 'text-dit', text: { tokenizer: 'bytes' } } as never;
  return captionEncoderOf(config, { text, encode: () => ({}) });
}

it('knows embeddings by what becomes of the empty caption, up to rounding', async () => {
  const known = await encoderOf(empty);
  expect(known).toHaveLength(32);
  expect(isSameEncoder(known, await encoderOf(empty.map((value) => 1.001 * value)))).toBe(true);
  expect(isSameEncoder(known, await encoderOf(empty.map((value) => -value)))).toBe(false);
  expect(isSameEncoder(known, await encoderOf(empty.subarray(0, 20)))).toBe(false);
  expect(isSameEncoder(known, 'a digest')).toBe(false);
});

it('compares nothing where one of them is not known', () => {
  expect(isSameEncoder(undefined, 'a')).toBe(true);
  expect(isSameEncoder('a', undefined)).toBe(true);
  expect(() => checkEncoder('step-0000004', 'a', 'b')).toThrow(
    /^step-0000004: its model knows captions by another/,
  );
});
