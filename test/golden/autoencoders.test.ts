// What diffusers' classes and TAESD's code make of the same weights and pictures.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type OpenAutoencoder,
  type OpenAutoencoderOptions,
  openAutoencoder,
} from '../../src/api/autoencoder.ts';
import type { Backend } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { drawLatents, posteriorDivergence } from '../../src/models/autoencoders/autoencoder.ts';
import { trace } from '../../src/program/index.ts';
import { float32Backends } from '../support/backends.ts';
import {
  type GoldenAutoencoder,
  goldenAutoencoders,
  goldenValues,
  largestError,
  taef2Values,
} from '../support/golden-autoencoders.ts';

const tolerance = 1e-5;
const { sd, sd3, attention, tiny, taef2 } = goldenAutoencoders;

/** The reference needs seconds for each, and more where it shares the machine. */
const timeout = 120_000;

const backends = float32Backends();
for (const { label, create, skip } of [backends[0]!, backends.findLast((each) => each.skip === undefined)!]) {
  describe.skipIf(skip !== undefined)(`on ${label}`, () => {
    for (const golden of [sd, sd3]) {
      it.skipIf(golden.skip !== undefined)(
        `${golden.label} has the same moments, draws, divergence and pictures${reason(golden)}`,
        () => withOpened(golden, create(), (opened) => checkKL(golden, opened)),
        timeout,
      );
    }

    it(
      'an autoencoder of LDM with attention in levels has the same moments and pictures',
      async () => {
        const told = { normGroups: 2, scaling: { scale: 1, shift: 0 } };
        await withOpened(attention, create(), checkAttention, 'ldm.safetensors', told);
      },
      timeout,
    );

    it(
      'AutoencoderTiny has the same latents and pictures',
      async () => {
        await withOpened(tiny, create(), async (opened) => {
          const value = await goldenValues(tiny);
          const { values, shape } = value('images');
          const encoded = await opened.encode(values, shape);
          expect(encoded.logVariance).toBeUndefined();
          expect(largestError(encoded.mean, value('latents').values)).toBeLessThan(tolerance);
          await checkDecoded(opened, value('latents'), value('decoded').values);
        });
      },
      timeout,
    );

    it.skipIf(taef2.skip !== undefined)(
      `TAEF2 has the same latents and pictures, of float16 weights${reason(taef2)}`,
      async () => {
        await withOpened(taef2, create(), async (opened) => {
          const value = await goldenValues(taef2, taef2Values);
          const { values, shape } = value('image');
          const signed = (pixels: Float32Array): Float32Array => pixels.map((pixel) => 2 * pixel - 1);
          const encoded = await opened.encode(signed(values), shape);
          expect(encoded.shape).toEqual([1, 32, 8, 8]);
          expect(largestError(encoded.mean, value('latents').values)).toBeLessThan(tolerance);
          await checkDecoded(opened, value('latents'), signed(value('decoded').values));
        });
      },
      timeout,
    );
  });
}

function reason({ skip }: GoldenAutoencoder): string {
  return skip === undefined ? '' : ` (skipped: ${skip})`;
}

async function withOpened(
  { folder }: GoldenAutoencoder,
  backend: Backend,
  use: (opened: OpenAutoencoder) => Promise<void>,
  file = '.',
  told: OpenAutoencoderOptions = {},
): Promise<void> {
  const opened = await openAutoencoder(join(folder, file), { backend, ...told });
  try {
    await use(opened);
  } finally {
    await opened.dispose();
    await backend.dispose();
  }
}

async function checkAttention(opened: OpenAutoencoder): Promise<void> {
  expect(opened.config).toMatchObject({ blockOutChannels: [4, 8], layersPerBlock: 1, attentionLevels: [1] });
  const value = await goldenValues(attention);
  const { values, shape } = value('images');
  const encoded = await opened.encode(values, shape);
  expect(encoded.shape).toEqual(value('mean').shape);
  expect(largestError(encoded.mean, value('mean').values)).toBeLessThan(tolerance);
  // None lies beyond the range; there is one picture, so that means come first, then log-variances.
  const logVariance = value('moments').values.subarray(encoded.mean.length);
  expect(largestError(encoded.logVariance!, logVariance)).toBeLessThan(tolerance);
  await checkDecoded(opened, value('mean'), value('decoded').values);
}

async function checkKL(golden: GoldenAutoencoder, opened: OpenAutoencoder): Promise<void> {
  const value = await goldenValues(golden);
  const { values, shape } = value('images');
  const encoded = await opened.encode(values, shape);
  expect(encoded.shape).toEqual(value('mean').shape);
  expect(largestError(encoded.mean, value('mean').values)).toBeLessThan(tolerance);
  expect(largestError(encoded.logVariance!, value('logvar').values)).toBeLessThan(tolerance);
  // The last channel lies about the lower end of the range: some of it is clamped, some not.
  const [lowest, above] = [encoded.logVariance!.filter((each) => each === -30), value('moments').values];
  expect(lowest.length).toBeGreaterThan(0);
  expect(Math.min(...above)).toBeLessThan(-30);

  const { scale, shift } = opened.autoencoder.scaling;
  const { sample, divergence } = await draw(encoded.mean, encoded.logVariance!, value('noise'));
  expect(largestError(sample, value('sample').values)).toBeLessThan(tolerance);
  expect(largestError(divergence, value('kl').values)).toBeLessThan(tolerance);
  const scaled = sample.map((latent) => (latent - Number(shift)) * Number(scale));
  expect(largestError(scaled, value('scaled').values)).toBeLessThan(tolerance);

  await checkDecoded(opened, value('sample'), value('decoded').values);
  await checkDecoded(opened, value('mode'), value('decoded_mode').values);
}

async function checkDecoded(
  opened: OpenAutoencoder,
  latents: { readonly values: Float32Array; readonly shape: readonly number[] },
  wanted: Float32Array,
): Promise<void> {
  const { images } = await opened.decode(latents.values, latents.shape);
  expect(largestError(images, wanted)).toBeLessThan(tolerance);
}

async function draw(
  mean: Float32Array,
  logVariance: Float32Array,
  { values: noise, shape }: { readonly values: Float32Array; readonly shape: readonly number[] },
): Promise<{ sample: Float32Array; divergence: Float32Array }> {
  const program = trace('draw', (graph) => {
    const posterior = { mean: graph.input('mean', shape), logVariance: graph.input('logVariance', shape) };
    return {
      sample: drawLatents(posterior, graph.input('noise', shape)),
      divergence: posteriorDivergence(posterior),
    };
  });
  const executable = await referenceBackend().compile(program, new Map());
  await executable.run({ mean, logVariance, noise });
  const read = await executable.read(['sample', 'divergence']);
  return { sample: Float32Array.from(read.sample), divergence: Float32Array.from(read.divergence) };
}
