import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend, Buffer } from '../../src/backends/backend.ts';
import { type EncodedPictures, LatentCodec } from '../../src/latents/codec.ts';
import { type Pass, decoding, encoding } from '../../src/latents/passes.ts';
import { bytesOf, stepsOf } from '../../src/latents/layout.ts';
import type { Autoencoder } from '../../src/models/autoencoders/autoencoder.ts';
import { createAutoencoder } from '../../src/models/autoencoders/create.ts';
import { disposeAll } from '../../src/tensor/lifetime.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { float64Backends } from '../support/backends.ts';
import { largestError } from '../support/golden-autoencoders.ts';
import { randomWeights } from '../support/models.ts';
import { randomValues } from '../support/random.ts';

/** Convolutions alone: pixels see 7 latent pixels far. */
const local = createAutoencoder({
  kind: 'tiny',
  latentChannels: 2,
  imageChannels: 1,
  encoderWidth: 4,
  decoderWidth: 4,
  encoderBlocks: [1, 1],
  decoderBlocks: [1, 1],
});
/** The deepest level has norms that see all of a picture. */
const pooled = createAutoencoder({
  kind: 'tiny',
  latentChannels: 2,
  imageChannels: 1,
  encoderWidth: 4,
  decoderWidth: 4,
  encoderBlocks: [1, 1, 1],
  decoderBlocks: [1, 1, 1],
  poolGroups: 4,
});
/** Norms and attention at all levels see all of a picture. */
const global = createAutoencoder({
  kind: 'kl',
  latentChannels: 2,
  imageChannels: 1,
  blockOutChannels: [4, 8],
  layersPerBlock: 1,
  normGroups: 4,
});

/** The best there is: the reference would take too long for pictures that are tiled. */
const fastest = float64Backends().findLast(({ skip }) => skip === undefined)!;
let backend: Backend;
const weights = new Map<Autoencoder, Map<string, Buffer>>();
beforeAll(async () => {
  backend = fastest.create();
  for (const autoencoder of [local, pooled, global]) {
    weights.set(autoencoder, await randomWeights(backend, autoencoder));
  }
});
afterAll(async () => {
  for (const buffers of weights.values()) await disposeAll(buffers.values());
  await backend.dispose();
});

const pictures = (shape: readonly number[], seed = 1): Float32Array =>
  Float32Array.from(randomValues(sizeOf(shape), seed));

async function withCodec<T>(
  autoencoder: Autoencoder,
  memory: number | undefined,
  use: (codec: LatentCodec, notices: string[]) => Promise<T>,
): Promise<T> {
  const notices: string[] = [];
  const codec = new LatentCodec(backend, autoencoder, weights.get(autoencoder)!, {
    memory,
    onNotice: (text) => notices.push(text),
  });
  try {
    return await use(codec, notices);
  } finally {
    await codec.dispose();
  }
}

/** Bytes that tiles of 40x40 latent pixels take. */
const ofTiles = (autoencoder: Autoencoder, name: 'encode' | 'decode', side = 40): number =>
  bytesOf(backend, (name === 'encode' ? encoding : decoding)(autoencoder).whole, 1, side, side);

describe('pictures that do not fit into memory', () => {
  const shape = [2, 1, 120, 96];
  const latentShape = [2, 2, 60, 48];

  it('are the same in tiles, where pixels see no further than tiles overlap', async () => {
    const { encode, decode } = local.parts;
    expect([...encode, ...decode].map(({ reach }) => reach)).toEqual([7, 7]);
    const images = pictures(shape);
    const latents = pictures(latentShape);
    const [mean, decoded] = await withCodec(local, undefined, async (codec) => [
      (await codec.encode(images, shape)).mean,
      (await codec.decode(latents, latentShape)).images,
    ]);
    const small = Math.min(ofTiles(local, 'encode'), ofTiles(local, 'decode'));
    await withCodec(local, small, async (codec, notices) => {
      const encoded = await codec.encode(images, shape);
      expect(encoded.shape).toEqual(latentShape);
      expect(largestError(encoded.mean, mean!)).toBeLessThan(1e-6);
      expect(largestError((await codec.decode(latents, latentShape)).images, decoded!)).toBeLessThan(1e-6);
      // What is exact needs no word.
      expect(notices).toEqual([]);
    });
  });

  it('are the same in tiles, where only the deepest level sees all of a picture', async () => {
    const { encode, decode } = pooled.parts;
    expect([...encode, ...decode].map(({ reach }) => reach)).toEqual([4, undefined, undefined, 4]);
    const images = pictures(shape);
    const smallerShape = [2, 2, 30, 24];
    const latents = pictures(smallerShape);
    const [mean, decoded] = await withCodec(pooled, undefined, async (codec) => [
      (await codec.encode(images, shape)).mean,
      (await codec.decode(latents, smallerShape)).images,
    ]);
    // What the deepest level of the picture takes, or a tile of the levels above it: less than all of it.
    const directions = [encoding(pooled), decoding(pooled)];
    const of = (passes: readonly Pass[], rows: number, columns: number): number[] =>
      passes.map((pass) => bytesOf(backend, pass, 1, rows, columns));
    const [near, far] = [true, false].map((isNear) =>
      directions.flatMap(({ passes }) => passes.filter(({ reach }) => (reach !== undefined) === isNear)),
    ) as [Pass[], Pass[]];
    const small = Math.max(...of(far, 30, 24), ...of(near, 20, 20));
    expect(small).toBeLessThan(
      Math.min(
        ...of(
          directions.map(({ whole }) => whole),
          30,
          24,
        ),
      ),
    );
    await withCodec(pooled, small, async (codec, notices) => {
      expect(largestError((await codec.encode(images, shape)).mean, mean!)).toBeLessThan(1e-6);
      expect(largestError((await codec.decode(latents, smallerShape)).images, decoded!)).toBeLessThan(1e-6);
      expect(notices).toEqual([]);
    });
  });

  it('differ a little in tiles, where norms see all of a picture, which is said once for each size', async () => {
    const images = pictures(shape);
    const whole = await withCodec(global, undefined, (codec) => codec.encode(images, shape));
    await withCodec(global, ofTiles(global, 'encode'), async (codec, notices) => {
      const tiled = await codec.encode(images, shape);
      const error = largestError(tiled.mean, whole.mean);
      expect(error).toBeGreaterThan(1e-5);
      expect(error).toBeLessThan(0.2);
      expect(tiled.logVariance).toHaveLength(whole.mean.length);
      await codec.encode(images, shape);
      expect(notices).toEqual([
        expect.stringMatching(
          /^encode: a picture of 120x96 takes \d+ MiB at once, more than \d+ MiB\. It is done in \d tiles of \d+x\d+, which fade into each other: norms see a tile/,
        ),
      ]);
    });
  });

  it('are refused where the smallest tile does not fit either', async () => {
    await withCodec(global, 1000, async (codec) => {
      await expect(codec.encode(pictures(shape), shape)).rejects.toThrow(
        /encode: the smallest tile takes \d+ MiB, more than the memory that is given, 0 MiB\. Give at least \d+ MiB/,
      );
    });
  });
});

describe('pictures that fit', () => {
  it('are computed as many at once as fit, with the same bits', async () => {
    const shape = [5, 1, 8, 12];
    const images = pictures(shape);
    const all = await withCodec(global, undefined, (codec) => codec.encode(images, shape));
    const two = bytesOf(backend, encoding(global).whole, 2, 4, 6);
    const some = await withCodec(global, two, (codec) => codec.encode(images, shape));
    expect(some.mean).toEqual(all.mean);
    expect(some.logVariance).toEqual(all.logVariance);
    const single = await withCodec(global, undefined, (codec) =>
      codec.encode(images.slice(96, 192), [1, 1, 8, 12]),
    );
    expect(single.mean).toEqual(all.mean.slice(48, 96));
  });

  it('may be of any size that the factor divides, and calls need not wait for each other', async () => {
    await withCodec(global, undefined, async (codec) => {
      const sizes = [
        [1, 1, 8, 12],
        [1, 1, 4, 6],
        [1, 1, 8, 12],
        [2, 1, 8, 12],
      ];
      const alone: EncodedPictures[] = [];
      for (const [i, shape] of sizes.entries()) alone.push(await codec.encode(pictures(shape, i), shape));
      // Compiled by now: two that share a program would overwrite what the other one has not read.
      const together = await Promise.all(sizes.map((shape, i) => codec.encode(pictures(shape, i), shape)));
      for (const [i, shape] of sizes.entries()) {
        expect(together[i]!.mean).toEqual(alone[i]!.mean);
        expect(together[i]!.shape).toEqual([shape[0], 2, shape[2]! / 2, shape[3]! / 2]);
      }
    });
  });

  it('are taken through all of an encoder at once', () => {
    const direction = encoding(pooled);
    const needed = bytesOf(backend, direction.whole, 1, 6, 5);
    const passes = (memory: number): string[] =>
      stepsOf(backend, direction, [2, 6, 5], memory).map(({ pass }) => pass.name);
    expect(passes(needed)).toEqual(['encode']);
    expect(passes(needed - 1)).toEqual(['encode 0', 'encode 1']);
  });

  it('are refused where the factor does not divide them, or the numbers are too few', async () => {
    await withCodec(local, undefined, async (codec) => {
      await expect(codec.encode(pictures([1, 1, 9, 8]), [1, 1, 9, 8])).rejects.toThrow(
        /multiples of 2 on both sides; nearest are 8x8 and 10x8, got 9x8/,
      );
      await expect(codec.encode(pictures([1, 1, 8, 8]), [2, 1, 8, 8])).rejects.toThrow(
        /encode: pictures must be 128 numbers for \[2, 1, 8, 8\], got 64/,
      );
      await expect(codec.decode(pictures([1, 3, 4, 4]), [1, 3, 4, 4])).rejects.toThrow(
        /decode: shape must be \[B, 2, height, width\], got \[1, 3, 4, 4\]/,
      );
    });
  });

  it('whose numbers are none are refused', async () => {
    await withCodec(local, undefined, async (codec) => {
      const images = pictures([1, 1, 8, 8]);
      images[7] = NaN;
      await expect(codec.encode(images, [1, 1, 8, 8])).rejects.toThrow(/encode: the result holds NaN/);
    });
  });
});

it('a codec that was disposed of is used no more', async () => {
  const codec = new LatentCodec(backend, local, weights.get(local)!);
  await codec.encode(pictures([1, 1, 8, 8]), [1, 1, 8, 8]);
  await codec.dispose();
  await codec.dispose();
  await expect(codec.decode(pictures([1, 2, 4, 4]), [1, 2, 4, 4])).rejects.toThrow(
    /the codec was disposed of/,
  );
});
