// What an autoencoder learns, against diffusers' numbers and sums made here.
import { describe, expect, it } from 'vitest';
import { readAutoencoder } from '../../src/api/autoencoder.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { AutoencoderModel } from '../../src/models/autoencoder-model.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import {
  type AutoencoderTask,
  autoencoderTask,
  reconstructionProgram,
} from '../../src/train/autoencoder-task.ts';
import { lossProgram } from '../../src/train/loss.ts';
import { loadWeights } from '../../src/train/restore.ts';
import { goldenAutoencoders, goldenValues, largestError } from '../support/golden-autoencoders.ts';
import { outputsOf } from '../support/outputs.ts';

const backend = referenceBackend();
const value = await goldenValues(goldenAutoencoders.sd);
const { config, weights } = await readAutoencoder(goldenAutoencoders.sd.folder);
const klWeight = 0.03;
const model = new AutoencoderModel(config, { sampleShape: [3, 32, 32], klWeight });
const buffers = await loadWeights(backend, model, weights, 'golden');
const x0 = value('images').values;
const pixels = 3 * 32 * 32;

/** A number of each of the two pictures. */
function ofPictures(of: (sample: number, pixel: number) => number): number[] {
  return [0, 1].map((sample) => {
    let sum = 0;
    for (let i = 0; i < pixels; i++) sum += of(sample, sample * pixels + i);
    return sum / pixels;
  });
}

async function told(
  task: Omit<AutoencoderTask, 'model'>,
  given = {},
): Promise<ReadonlyMap<string, HostArray>> {
  const program = lossProgram({ batch: 2, task: autoencoderTask({ model, ...task }) });
  const executable = await backend.compile(program, buffers);
  await executable.run({ x0, step: Int32Array.of(1), ...given });
  return outputsOf(executable);
}

describe('the loss of an autoencoder', () => {
  it('is the mean absolute error of pictures that are made of drawn latents, and the weighted KL', async () => {
    const noise = value('noise');
    const outputs = await told(
      { noise: ({ step }, shape) => step.graph.input('noise', shape) },
      { noise: noise.values },
    );
    const decoded = value('decoded').values;
    const reconstruction = ofPictures((_, i) => Math.abs(decoded[i]! - x0[i]!));
    const kl = Array.from(value('kl').values, (sum) => sum / pixels);
    const losses = reconstruction.map((error, i) => error + klWeight * kl[i]!);
    expect(largestError(outputs.get('reconstruction')!, reconstruction)).toBeLessThan(1e-5);
    expect(largestError(outputs.get('kl')!, kl)).toBeLessThan(1e-5);
    expect(largestError(outputs.get('losses')!, losses)).toBeLessThan(1e-5);
    expect(outputs.get('loss')![0]).toBeCloseTo((losses[0]! + losses[1]!) / 2, 5);
    expect(outputs.has('squaredError')).toBe(false);
  });

  it('is measured of the means, whose pictures are cut off where they are shown', async () => {
    const outputs = await told({ isMeasured: true });
    const made = value('decoded_mode').values;
    const cut = (v: number): number => Math.min(1, Math.max(-1, v));
    expect(made.some((v) => Math.abs(v) > 1)).toBe(true);
    const squares = ofPictures((_, i) => (cut(made[i]!) - x0[i]!) ** 2);
    expect(largestError(outputs.get('squaredError')!, squares)).toBeLessThan(1e-5);
    const errors = ofPictures((_, i) => Math.abs(made[i]! - x0[i]!));
    expect(largestError(outputs.get('reconstruction')!, errors)).toBeLessThan(1e-5);
  });
});

it('pictures are made again of the means of their latents', async () => {
  const executable = await backend.compile(reconstructionProgram(model, value('images').shape), buffers);
  await executable.run({ x0 });
  const { pictures } = await executable.read(['pictures']);
  expect(largestError(pictures, value('decoded_mode').values)).toBeLessThan(1e-5);
});
