import { describe, expect, it } from 'vitest';
import { testBackends } from '../support/backends.ts';

describe.each(testBackends().filter(({ label }) => /reference|portable/.test(label)))(
  'a buffer on $label',
  ({ create, skip }) => {
    it.skipIf(skip)('is copied into memory that is there, in the types that it can be read as', async () => {
      const backend = create();
      const values = Float32Array.of(1.5, -2, 0.25);
      const floats = backend.allocate({ shape: [3], dtype: 'float32' });
      await floats.write(values);
      const whole = new Float32Array(5);
      await floats.readInto(whole.subarray(1, 4));
      expect(whole).toEqual(Float32Array.of(0, 1.5, -2, 0.25, 0));
      for (const [dtype, rounded] of [
        ['bfloat16', 1 + 2 ** -7],
        ['float16', 1 + 2 ** -10],
      ] as const) {
        const halves = backend.allocate({ shape: [3], dtype });
        await halves.write(Float32Array.of(1 + 0.9 * (rounded - 1), -2, 0.25));
        for (const target of [new Float32Array(3), new Float64Array(3)]) {
          await halves.readInto(target);
          expect([...target]).toEqual([rounded, -2, 0.25]);
        }
      }
      const counts = backend.allocate({ shape: [2], dtype: 'int32' });
      await counts.write(Int32Array.of(7, -8));
      const target = new Int32Array(2);
      await counts.readInto(target);
      expect(target).toEqual(Int32Array.of(7, -8));
    });

    it.skipIf(skip)('refuses memory of another size or type', async () => {
      const buffer = create().allocate({ shape: [3], dtype: 'float32' });
      const into = async (target: Float32Array | Int32Array): Promise<void> => buffer.readInto(target);
      await expect(into(new Float32Array(4))).rejects.toThrow('wanted 3 elements for shape [3], got 4');
      await expect(into(new Int32Array(3))).rejects.toThrow('wanted a Float32Array or Float64Array');
    });
  },
);
