import { describe, expect, it } from 'vitest';
import { arraySource } from '../../src/sources/arrays.ts';
import { type DigestOptions, digestSource } from '../../src/check/digest.ts';
import type { Source } from '../../src/data/source.ts';
import { dataError } from '../../src/tensor/errors.ts';

const images = Float32Array.from({ length: 40 }, (_, i) => i / 40);
const labels = Array.from({ length: 20 }, (_, i) => i % 3);

function source(changes: { at?: number; label?: number; name?: string } = {}): Source {
  const values = Float32Array.from(images);
  if (changes.at !== undefined) values[changes.at]! += 1e-7;
  const shown = labels.map((label, i) => (i === changes.label ? (label + 1) % 3 : label));
  return arraySource({ name: changes.name ?? 'a', images: values, shape: [1, 1, 2], labels: shown });
}

const digest = async (of: Source, options: Partial<DigestOptions> = {}): Promise<string> =>
  (await digestSource(of, { seed: 0, ...options })).sha256;

describe('the digest of data', () => {
  it('is the same for the same data, wherever they lie', async () => {
    expect(await digest(source({ name: 'b' }))).toBe(await digest(source()));
  });

  it('changes with the last bit of any value, and with any label', async () => {
    const all = await Promise.all([
      digest(source()),
      ...Array.from(images, (_, at) => digest(source({ at }))),
      ...labels.map((_, label) => digest(source({ label }))),
    ]);
    expect(new Set(all).size).toBe(1 + images.length + labels.length);
  });

  it('is of samples that are spread evenly where there are many, and says so', async () => {
    const read: number[] = [];
    const seen: [number, number][] = [];
    const watched: Source = {
      ...source(),
      read: (index, ...rest) => {
        read.push(index);
        return source().read(index, ...rest);
      },
    };
    const onProgress = (...progress: [number, number]): void => void seen.push(progress);
    expect(await digestSource(watched, { seed: 0, most: 10, onProgress })).toMatchObject({
      count: 20,
      digested: 10,
    });
    expect(read).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
    expect(seen).toEqual([
      [8, 10],
      [10, 10],
    ]);
  });

  it('takes a sample that cannot be read as such', async () => {
    const bad = (broken: number): Source => ({
      ...source(),
      read: async (index, ...rest) => {
        if (index === broken) throw dataError('a', `sample ${index} is broken`, 'Mend it');
        return source().read(index, ...rest);
      },
    });
    const all = [await digest(source()), await digest(bad(3)), await digest(bad(4))];
    expect(new Set(all).size).toBe(3);
    expect(await digest(bad(3))).toBe(all[1]);
  });

  it('can be stopped', async () => {
    await expect(digest(source(), { signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
  });
});
