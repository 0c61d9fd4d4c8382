import { execFileSync } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { encodeSafetensors } from '../../../src/formats/safetensors.ts';
import { philoxNormal } from '../../../src/tensor/philox.ts';
import { zip } from '../../support/torch-archive.ts';
import { openedSets } from './opened-sets.ts';
import { edm2Folder, latent, npz, shape, shard, size, statistics, write } from './sets.ts';

const { folder, open, read } = openedSets();

const numbers = (set: number, sample: number): number[] => [...latent(set, sample)];

describe('LightningDiT', () => {
  test('shards in the order of their names, labels, mirrored latents and the statistics beside them', async () => {
    const path = folder();
    await write(join(path, 'latents_rank00_shard001.safetensors'), shard(2, [2]));
    await write(join(path, 'latents_rank00_shard000.safetensors'), shard(0, [1, 0]));
    await write(join(path, 'latents_stats.pt'), statistics([100, 102], [2, 4]));
    const source = await open(path, { flip: 1, scaling: 'auto' });
    expect([source.count, source.shape, source.classes]).toEqual([3, [...shape], 3]);
    expect(source.record).toEqual({ kind: 'latents', scale: [0.5, 0.25], shift: [100, 102] });
    const [values, annotation] = await read(source, 2);
    const seen = numbers(2, 2).map((each, i) => (i < size / 2 ? (each - 100) / 2 : (each - 102) / 4));
    expect(values).toEqual(seen);
    expect(annotation).toEqual({ label: 2 });
    const plain = await open(path, { flip: 0 });
    expect((await read(plain, 0))[0]).toEqual(numbers(1, 0));
    expect(await plain.fingerprint!()).toMatch(/^[0-9a-f]{64}$/);
  });

  test('an image is mirrored in about half of the epochs, the same ones every time', async () => {
    const path = folder();
    await write(join(path, 'a.safetensors'), shard(0, [0, 0, 0, 0]));
    const source = await open(path, { flip: 'auto' });
    const epochs = Array.from({ length: 200 }, (_, epoch) => epoch);
    const flips: boolean[] = [];
    for (const epoch of epochs) flips.push((await read(source, 3, epoch))[0][0]! > 200);
    const again: boolean[] = [];
    for (const epoch of epochs) again.push((await read(source, 3, epoch))[0][0]! > 200);
    expect(flips).toEqual(again);
    const share = flips.filter(Boolean).length / flips.length;
    expect(share).toBeGreaterThan(0.4);
    expect(share).toBeLessThan(0.6);
  });

  test('labels of some shards only are not used, and that is said', async () => {
    const path = folder();
    await write(join(path, 'a.safetensors'), shard(0, [0, 1]));
    const latents = { dtype: 'F32', shape: [1, ...shape], data: latent(1, 2) } as const;
    const extra = { dtype: 'F32', shape: [1], data: new Float32Array(1) } as const;
    await write(join(path, 'b.safetensors'), encodeSafetensors(new Map(Object.entries({ latents, extra }))));
    const source = await open(path);
    expect([source.count, source.classes]).toEqual([3, undefined]);
    const first = join(path, 'a.safetensors');
    expect(source.unused!.map(({ what, examples }) => [what, examples])).toEqual([
      ['tensor', [`${first}: labels`]],
      ['tensor', [`${first}: latents_flip`]],
      ['tensor', ['extra']],
    ]);
    expect(await read(source, 2)).toEqual([numbers(1, 2), {}]);
  });
});

describe('EDM2 and REPA', () => {
  test('draws around the mean as the deviation says, keyed by seed, epoch and index', async () => {
    const path = await edm2Folder(folder(), [4, 0, 2]);
    const source = await open(path);
    expect([source.count, source.shape, source.classes]).toEqual([3, [...shape], 5]);
    const [first, annotation] = await read(source, 2, 5);
    expect(annotation).toEqual({ label: 2 });
    expect((await read(source, 2, 5))[0]).toEqual(first);
    const noise = (values: readonly number[]): number[] =>
      values.map((each, i) => (each - latent(1, 2)[i]!) / latent(2, 2)[i]!);
    // Stream 12 is that of latents; the epoch takes the step's place.
    const draw = { seed: 7, stream: 12, step: 5, firstSample: 2, samples: 1, elements: size };
    const drawn = philoxNormal(draw);
    expect(first).toEqual(numbers(1, 2).map((each, i) => Math.fround(each + latent(2, 2)[i]! * drawn[i]!)));
    const [one, other] = [noise(first), noise((await read(source, 2, 6))[0])];
    expect(one).not.toEqual(other);
    // Numbers of a standard normal distribution.
    const all: number[] = [];
    for (let epoch = 0; epoch < 200; epoch++) all.push(...noise((await read(source, 2, epoch))[0]));
    const mean = all.reduce((sum, each) => sum + each, 0) / all.length;
    const square = all.reduce((sum, each) => sum + each ** 2, 0) / all.length;
    expect(Math.abs(mean)).toBeLessThan(0.08);
    expect(Math.abs(square - 1)).toBeLessThan(0.1);
    expect((await read(await open(path, { draw: false }), 2))[0]).toEqual(numbers(1, 2));
  });

  test('a zip archive is read as the folder is', async () => {
    const path = await edm2Folder(folder(), [1, 0, 1]);
    const names = (await readdir(path, { recursive: true })).filter((name) => /\.(npy|json)$/.test(name));
    const members = await Promise.all(
      names.map(async (name) => ({
        name: name.replaceAll('\\', '/'),
        data: await readFile(join(path, name)),
      })),
    );
    const archive = `${path}.zip`;
    await write(archive, zip(members));
    const [unpacked, packed] = [await open(path), await open(archive)];
    expect(packed.count).toBe(3);
    for (const index of [0, 1, 2]) expect(await read(packed, index)).toEqual(await read(unpacked, index));
    expect(await packed.fingerprint!()).toBe(await unpacked.fingerprint!());
  });

  test('other labels are other data', async () => {
    const [one, other] = [await edm2Folder(folder(), [1, 0, 1]), await edm2Folder(folder(), [1, 0, 0])];
    const [first, second] = [await open(one), await open(other)];
    expect(await first.fingerprint!()).not.toBe(await second.fingerprint!());
  });

  test('statistics of the draws are measured where nothing states them', async () => {
    const path = await edm2Folder(folder(), null);
    const source = await open(path, { scaling: 'statistics' });
    const channel = (set: number, of: number): number[] =>
      [0, 1, 2].flatMap((sample) => numbers(set, sample).slice(of * 6, of * 6 + 6));
    const shift = [0, 1].map((of) => channel(1, of).reduce((sum, each) => sum + each, 0) / 18);
    const scale = [0, 1].map((of) => {
      const squares = channel(1, of).map((each) => (each - shift[of]!) ** 2);
      const spreads = channel(2, of).map((each) => each ** 2);
      return 1 / Math.sqrt([...squares, ...spreads].reduce((sum, each) => sum + each, 0) / 18);
    });
    const record = source.record as unknown as { scale: number[]; shift: number[] };
    record.shift.forEach((each, i) => expect(each).toBeCloseTo(shift[i]!, 9));
    record.scale.forEach((each, i) => expect(each).toBeCloseTo(scale[i]!, 9));
  });

  test('statistics that a model knows are not measured anew', async () => {
    const path = await edm2Folder(folder(), null);
    const known = { kind: 'latents', scale: [3, 4], shift: [5, 6] };
    const source = await open(path, { scaling: 'statistics' }, { known });
    expect(source.record).toEqual(known);
  });
});

describe('kohya', () => {
  const array = (set: number, sample: number): { shape: number[]; data: Float32Array } => ({
    shape: [...shape],
    data: latent(set, sample),
  });

  test('files of both generations, captions beside them, and mirrored latents', async () => {
    const path = folder();
    const others = {
      original_size: { shape: [2], data: BigInt64Array.of(24n, 16n) },
      crop_ltrb: { shape: [4], data: BigInt64Array.of(0n, 0n, 24n, 16n) },
    };
    await write(join(path, 'a.npz'), npz({ latents: array(1, 0), latents_flipped: array(2, 0), ...others }));
    await write(
      join(path, 'sub/b_0024x0016_sdxl.npz'),
      npz({ latents_2x3: array(1, 1), latents_flipped_2x3: array(2, 1) }),
    );
    await write(join(path, 'b_te_outputs.npz'), npz({ prompt_embeds: array(0, 0) }));
    await write(join(path, 'a.txt'), 'a cat\n');
    await write(join(path, 'sub/b.caption'), 'a dog');
    await write(join(path, 'a.png'), 'x');
    await write(join(path, '.cache/c.npz'), 'hidden files are none of the set');
    const source = await open(path, { flip: 1 });
    expect([source.count, source.shape, source.captions]).toEqual([2, [...shape], true]);
    expect(await read(source, 0)).toEqual([numbers(2, 0), { caption: 'a cat' }]);
    expect(await read(source, 1)).toEqual([numbers(2, 1), { caption: 'a dog' }]);
    expect(await read(await open(path, { condition: 'none' }), 1)).toEqual([numbers(1, 1), {}]);
    expect(source.unused!.map(({ what, examples }) => [what, examples])).toEqual([
      ['.npz file without latents', ['b_te_outputs.npz']],
      ['other file', ['a.png']],
    ]);
    const before = await source.fingerprint!();
    await write(join(path, 'a.txt'), 'a lion');
    expect(await (await open(path)).fingerprint!()).not.toBe(before);
  });

  test.each(['flux', 'lumina'])(
    "those of %s are turned back into what Flux's autoencoder says",
    async (model) => {
      const path = folder();
      await write(join(path, `a_0024x0016_${model}.npz`), npz({ latents_2x3: array(1, 0) }));
      const [values] = await read(await open(path), 0);
      values.forEach((each, i) => expect(each).toBeCloseTo(latent(1, 0)[i]! / 0.3611 + 0.1159, 3));
    },
  );

  test.each(['sd', 'sdxl', 'sd3', 'hi'])(
    'those of %s are as they lie there, with captions',
    async (model) => {
      const path = folder();
      await write(join(path, `a_0024x0016_${model}.npz`), npz({ latents_2x3: array(1, 0) }));
      await write(join(path, 'a.txt'), 'a cat');
      expect(await read(await open(path), 0)).toEqual([numbers(1, 0), { caption: 'a cat' }]);
    },
  );

  test('captions and mirrored latents of some only are not used, and that is said', async () => {
    const path = folder();
    await write(join(path, 'a.npz'), npz({ latents: array(1, 0), latents_flipped: array(2, 0) }));
    await write(join(path, 'b.npz'), npz({ latents: array(1, 1) }));
    await write(join(path, 'a.txt'), 'a cat');
    const source = await open(path, { flip: 'auto' });
    expect([source.captions, source.classes]).toEqual([undefined, undefined]);
    expect(source.unused!.map(({ what, advice }) => [what, advice])).toEqual([
      ['file with mirrored latents', expect.stringMatching(/flip_aug for all/)],
      ['caption', expect.stringMatching(/give one to each/)],
    ]);
    expect((await read(source, 0))[0]).toEqual(numbers(1, 0));
  });

  const hasNumpy = ((): boolean => {
    try {
      execFileSync('python3', ['-c', 'import numpy'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  })();

  test.skipIf(!hasNumpy)(
    'what numpy itself writes, stored and compressed (skipped without numpy)',
    async () => {
      const path = folder();
      await write(join(path, 'note.md'), 'made by numpy');
      const script = `
import numpy, sys
x = numpy.arange(12, dtype='float32').reshape(2, 2, 3)
numpy.savez(sys.argv[1] + '/a.npz', latents=x, original_size=numpy.array([24, 16]))
numpy.savez_compressed(sys.argv[1] + '/b_0024x0016_sd.npz', latents_2x3=x.astype('float16') + 1)`;
      execFileSync('python3', ['-c', script, path]);
      const source = await open(path);
      const counting = Array.from({ length: 12 }, (_, i) => i);
      expect((await read(source, 0))[0]).toEqual(counting);
      expect((await read(source, 1))[0]).toEqual(counting.map((each) => each + 1));
    },
  );
});
