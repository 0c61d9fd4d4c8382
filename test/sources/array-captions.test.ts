// An array of images with a file of captions beside it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkData } from '../../src/api/data.ts';
import { captionsOf } from '../../src/data/captions.ts';
import type { Source } from '../../src/data/source.ts';
import { openArray } from '../../src/sources/array-source.ts';
import { arraySource } from '../../src/sources/arrays.ts';
import { packSource } from '../../src/sources/pack.ts';
import { temporaryFolder } from '../support/cli.ts';
import { npy } from '../support/npy.ts';

const key = { seed: 0, epoch: 0 };
let folder: string;
let images: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  images = join(folder, 'images.npy');
  await writeFile(
    images,
    npy(
      '|u1',
      [3, 1, 2, 2],
      Uint8Array.from({ length: 12 }, (_, i) => i),
    ),
  );
});

async function opened(text: string): Promise<Source> {
  const captions = join(folder, 'captions.jsonl');
  await writeFile(captions, text);
  const rest = { tensor: 'samples', latents: false, scale: 1, shift: 0 };
  return openArray({ source: 'array', path: images, captions, ...rest });
}

async function all(source: Source): Promise<string[]> {
  const captions: string[] = [];
  for await (const caption of captionsOf(source)) captions.push(caption);
  return captions;
}

describe('an array with captions', () => {
  it('has them line by line, several as a list, and says where they are from', async () => {
    const source = await opened('"a cat"\n["a dog", "ein Hund"]\n"a\\nhen"\n');
    expect(source).toMatchObject({ captions: true, told: { by: join(folder, 'captions.jsonl') } });
    expect(await all(source)).toEqual(['a cat', 'a dog', 'ein Hund', 'a\nhen']);
    expect(await source.read(2, new Float32Array(4), 0, key)).toEqual({ caption: 'a\nhen' });
    const drawn = new Set<string>();
    for (let epoch = 0; epoch < 20; epoch++)
      drawn.add((await source.read(1, new Float32Array(4), 0, { ...key, epoch })).caption!);
    expect([...drawn].toSorted()).toEqual(['a dog', 'ein Hund']);
    await source.close?.();
    const { told } = await checkData({
      data: { source: 'array', path: images, captions: join(folder, 'captions.jsonl') },
    });
    expect(told).toBe(`captions (${join(folder, 'captions.jsonl')})`);
  });

  it('names a file of another number of lines, and a line that holds none', async () => {
    await expect(opened('"a cat"\n"a dog"\n')).rejects.toThrow('captions.jsonl: has 2 lines for 3 samples');
    const source = await opened('"a cat"\n5\n"a hen"\n');
    await expect(source.read(1, new Float32Array(4), 0, key)).rejects.toThrow(
      'captions.jsonl: line 2 is no text',
    );
    expect(await source.fingerprint!()).toMatch(/^[0-9a-f]{64}$/);
    await source.close?.();
  });

  it('is another set where a caption is another', async () => {
    const prints: string[] = [];
    for (const text of ['"a cat"\n"a dog"\n"a hen"\n', '"a cat"\n"a cow"\n"a hen"\n']) {
      const source = await opened(text);
      prints.push(await source.fingerprint!());
      await source.close?.();
    }
    expect(new Set(prints).size).toBe(2);
  });

  it('has none beside those of a packed folder', async () => {
    const source = arraySource({
      images: new Uint8Array(8),
      shape: [1, 2, 2],
      captions: ['a cat', ['a', 'b']],
    });
    expect(source).toMatchObject({ captions: true, severalCaptions: true, examples: ['a cat', 'a'] });
    const packed = join(folder, 'packed');
    await packSource(source, packed, { form: 'array' });
    const rest = { tensor: 'samples', latents: false, scale: 1, shift: 0 };
    const again = await openArray({ source: 'array', path: packed, ...rest });
    expect(await all(again)).toEqual(['a cat', 'a', 'b']);
    await again.close?.();
    await expect(openArray({ source: 'array', path: packed, captions: 'x.jsonl', ...rest })).rejects.toThrow(
      'is packed with its labels, captions, scale and shift',
    );
    expect(() => arraySource({ images: new Uint8Array(8), shape: [1, 2, 2], captions: ['a cat'] })).toThrow(
      'there are 2 images and 1 caption. Give one caption per image',
    );
  });
});
