// How one sample comes out of noise, by the weights of a run.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeData } from '../../src/api/encode.ts';
import { openRunModel, withRunSampler } from '../../src/api/run-sampler.ts';
import { type SamplePathOptions, samplePath } from '../../src/api/sample-path.ts';
import { sample } from '../../src/api/sample.ts';
import { train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { pngText } from '../../src/formats/png-text.ts';
import type { AnySamplerName } from '../../src/flow/samplers.ts';
import { pathPictures } from '../../src/runner/samples/path-pictures.ts';
import { writePath, writePathGrid } from '../../src/runner/samples/write-path.ts';
import { keptRuns } from '../golden/kept-runs.ts';
import { temporaryFolder } from '../support/cli.ts';
import { writePhotos } from '../support/photos.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const size = 96;
let folder: string;
let run: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  const config = { ...tinyStripes, optimizer: { learningRate: 1e-2 } };
  ({ run } = await train(config, { runs: folder, source: stripes(), backend }));
});

async function keptRun(name: string): Promise<string> {
  const kept = keptRuns[name]!;
  return (await train(kept.config, { runs: folder, source: await kept.source(folder), backend })).run;
}

/** Of all numbers. */
function farthest(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

/** The velocity at places and times, asked of the sampler one by one: a step of Euler from each tells it. */
async function velocityAt(
  x: Float32Array,
  t: number,
  steps: number,
  guidance: number,
): Promise<Float32Array> {
  const opened = await openRunModel(run, {});
  return withRunSampler(opened, { backend }, async (sampler) => {
    let found: Float32Array | undefined;
    const from = { x, done: Math.round((1 - t) * steps) };
    const asked = { count: 1, steps, guidance, seed: 0, conditions: { labels: [1] }, from };
    await sampler.sample({
      ...asked,
      onVelocity: ({ velocity }) => (found ??= Float32Array.from(velocity)),
    });
    return found!;
  });
}

const asked = { backend, labels: [1], steps: 5, guidance: 2, seed: 3 } as const;

describe('the path of a sample', () => {
  it('ends, to the bit, at the sample that sample makes, and is made with the same', async () => {
    const path = await samplePath(run, asked);
    const made = await sample(run, { ...asked, count: 1 });
    expect(path.states.slice(-size)).toEqual(made.values);
    expect([path.made, path.step, path.annotation]).toEqual([made.made, 12, { label: 1 }]);
    [1, 0.8, 0.6, 0.4, 0.2, 0].forEach((t, i) => expect(path.times[i]).toBeCloseTo(t, 12));
    expect([path.states.length, path.velocities.length, path.foreseen.length]).toEqual([576, 480, 480]);
  });

  it('has the velocity that each step of Euler took, and where that leads', async () => {
    const { states, velocities, foreseen, times, speeds } = await samplePath(run, asked);
    const between = velocities.map((_, i) => (states[i]! - states[i + size]!) * 5);
    expect(farthest(velocities, between)).toBeLessThan(1e-5);
    const leads = velocities.map((v, i) => states[i]! - times[Math.floor(i / size)]! * v);
    expect(farthest(foreseen, leads)).toBeLessThan(1e-6);
    expect(foreseen.slice(-size)).toEqual(states.slice(-size));
    const square = velocities.subarray(size, 2 * size).reduce((sum, v) => sum + v * v, 0);
    expect(speeds[1]).toBeCloseTo(Math.sqrt(square / size), 8);
  });

  it('has the angle of each velocity to the straight line: none of a step that goes all the way', async () => {
    const { angles } = await samplePath(run, { ...asked, steps: 1 });
    expect(angles).toHaveLength(1);
    expect(angles[0]).toBeLessThan(0.1);
    const { states, velocities, angles: bent } = await samplePath(run, asked);
    const v = velocities.subarray(2 * size, 3 * size);
    const chord = v.map((_, i) => states[i]! - states[5 * size + i]!);
    const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
    const cosine = dot(v, chord) / Math.sqrt(dot(v, v) * dot(chord, chord));
    expect(Math.cos((bent[2]! * Math.PI) / 180)).toBeCloseTo(cosine, 8);
  });

  it('has guidance in its velocities', async () => {
    const guided = await samplePath(run, asked);
    const plain = await samplePath(run, { ...asked, guidance: 1 });
    const noise = guided.states.slice(0, size);
    expect(plain.states.slice(0, size)).toEqual(noise);
    expect(guided.velocities.slice(0, size)).toEqual(await velocityAt(noise, 1, 5, 2));
    expect(plain.velocities.slice(0, size)).toEqual(await velocityAt(noise, 1, 5, 1));
    expect(farthest(guided.velocities, plain.velocities)).toBeGreaterThan(1e-3);
  });

  it.each(['heun', 'midpoint', 'rk4', 'euler-maruyama'] satisfies AnySamplerName[])(
    'is kept where steps of %s begin, with what was asked there',
    async (sampler) => {
      let evaluations = 0;
      const path = await samplePath(run, { ...asked, sampler, onProgress: (done) => (evaluations = done) });
      const { length } = path.times;
      expect([length, path.times.at(-1)]).toEqual([6, 0]);
      expect(evaluations).toBe({ heun: 10, midpoint: 10, rk4: 20, 'euler-maruyama': 5 }[sampler]);
      const made = await sample(run, { ...asked, sampler, count: 1 });
      expect(path.states.slice(-size)).toEqual(made.values);
      const x = path.states.slice(2 * size, 3 * size);
      expect(path.velocities.slice(2 * size, 3 * size)).toEqual(await velocityAt(x, 0.6, 5, 2));
    },
  );

  it('of dopri5 has the steps that were taken, and none that were refused', async () => {
    const tolerance = { rtol: 1e-5, atol: 1e-5, sampler: 'dopri5' } as const;
    let evaluations = 0;
    const path = await samplePath(run, {
      ...asked,
      ...tolerance,
      onProgress: (done) => (evaluations = done),
    });
    const made = await sample(run, { ...asked, ...tolerance, count: 1 });
    expect(path.states.slice(-size)).toEqual(made.values);
    const { times } = path;
    expect(times.length - 1).toBeLessThanOrEqual((evaluations - 1) / 6);
    expect(times).toEqual(times.toSorted((a, b) => b - a));
    expect([times[0], times.at(-1), new Set(times).size]).toEqual([1, 0, times.length]);
  });

  it('is that of the first row of the grids where nothing is asked for, and of models that are told nothing', async () => {
    const { annotation } = await samplePath(run, { backend, steps: 2 });
    expect(annotation).toEqual({ label: 0 });
    const config = { ...tinyStripes, model: { ...tinyStripes.model, classes: 0 } };
    const untold = (await train(config, { runs: folder, source: stripes(), backend })).run;
    const path = await samplePath(untold, { backend, steps: 2 });
    expect(path.annotation).toBeUndefined();
    expect(path.states.slice(-size)).toEqual((await sample(untold, { backend, steps: 2, count: 1 })).values);
  });

  it.each([
    [{ labels: [0, 1] }, 'sample path: labels must be one: it is the path of one sample, got 0, 1'],
    [{ labels: ['0-2'] }, 'sample path: labels must be one: it is the path of one sample, got 0-2'],
    [{ labels: [7] }, 'sample: labels must be classes of the model'],
    [{ prompts: ['red'] }, 'sample: prompts must be left out: this model takes no captions'],
    [{ steps: 201 }, 'sample path: steps must be at most 200: the path is kept, got 201'],
    [{ steps: 0 }, 'sample: steps must be a positive integer, got 0'],
    [{ sampler: 'ddim' as AnySamplerName }, 'sampler: must be one of euler'],
    [{ checkpoint: 7 }, 'there is no checkpoint of step 7'],
    [{ autoencoder: 'some' }, 'sample: autoencoder must be left out'],
  ] satisfies [SamplePathOptions, string][])('is refused with %j', async (options, message) => {
    await expect(samplePath(run, { backend, ...options })).rejects.toThrow(message);
  });

  it('is refused of a model that predicts noise', async () => {
    await expect(samplePath(await keptRun('ddpm'), { backend })).rejects.toThrow(
      /was trained with flow\.objective ddpm: it has no paths of rectified flow that could be shown/,
    );
  });
});

describe('files of a path', () => {
  it('are its numbers, and a sheet that says what it was made with', async () => {
    const path = await samplePath(run, { ...asked, steps: 20 });
    const out = join(folder, 'written');
    const { numbers, sheet } = await writePath(out, path);
    expect([numbers, sheet]).toEqual([join(out, 'path.json'), join(out, 'path.png')]);
    const { times, speeds, angles, made } = path;
    const told = JSON.parse(await readFile(numbers, 'utf8')) as object;
    expect(told).toEqual({ label: 1, times, speeds, angles, made });
    expect(JSON.parse(pngText(await readFile(sheet!), 'rectiflow')!)).toEqual(made);
    // 11 of 21 times, pictures of 8x12 five times as large, three rows.
    const { width, height } = await sharp(sheet!).metadata();
    expect(width).toBeGreaterThan(11 * 60);
    expect(width).toBeLessThan(12 * 60 + 220);
    expect(height).toBeGreaterThan(3 * 40);
    await expect(writePath(out, path)).rejects.toThrow('holds files already');
  });

  it('have each picture in its place: the velocity in black and white at most, and grey where there is none', async () => {
    const path = await samplePath(run, { ...asked, steps: 3 });
    const file = join(folder, 'grid.png');
    const grid = await writePathGrid(file, path, pathPictures(path)!);
    expect(grid).toEqual({ rows: ['state', 'velocity', 'foreseen'], width: 12, height: 8, columns: 4 });
    const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([48, 24]);
    const pixels = (time: number, row: number): number[] => {
      const place = 3 * time + row;
      const [top, left] = [8 * Math.floor(place / 4), 12 * (place % 4)];
      const at = (i: number): number => (top + Math.floor(i / 12)) * 48 + left + (i % 12);
      return Array.from({ length: size }, (_, i) => data[info.channels * at(i)]!);
    };
    const bytes = (values: Float32Array): number[] =>
      Array.from(values, (value) => Math.round(Math.min(1, Math.max(-1, value)) * 127.5 + 127.5));
    const part = (of: Float32Array, time: number): Float32Array =>
      of.subarray(time * size, (time + 1) * size);
    for (const time of [0, 1, 2]) {
      expect(pixels(time, 0)).toEqual(bytes(part(path.states, time)));
      const velocity = part(path.velocities, time);
      const most = Math.max(...velocity.map(Math.abs));
      expect(pixels(time, 1)).toEqual(bytes(velocity.map((value) => value / most)));
      expect(pixels(time, 2)).toEqual(bytes(part(path.foreseen, time)));
    }
    expect(new Set(pixels(3, 1))).toEqual(new Set([128]));
    expect(pixels(3, 2)).toEqual(pixels(3, 0));
  });
});

describe('the path of a sample', () => {
  it('of captions is that of one prompt', async () => {
    const of = await keptRun('captions');
    const prompts = ['a red square'];
    const path = await samplePath(of, { backend, prompts, steps: 2 });
    expect(path.annotation).toEqual({ caption: prompts[0] });
    const made = await sample(of, { backend, prompts, steps: 2, count: 1 });
    expect(path.states.slice(-made.values.length)).toEqual(made.values);
    const two = { backend, prompts: ['red', 'green'] };
    await expect(samplePath(of, two)).rejects.toThrow('prompts must be one: it is the path of one sample');
  });

  it('of cells has numbers, and no pictures', async () => {
    const of = await keptRun('cells');
    const path = await samplePath(of, { backend, steps: 2 });
    expect(path.shape).toHaveLength(1);
    expect(path.speeds).toHaveLength(2);
    expect(pathPictures(path)).toBeUndefined();
    const { sheet, numbers } = await writePath(join(folder, 'of-cells'), path);
    expect(sheet).toBeUndefined();
    expect(JSON.parse(await readFile(numbers, 'utf8'))).toMatchObject({ speeds: path.speeds });
  });

  it('of latents is decoded, but for the velocity', { timeout: 60_000 }, async () => {
    const photos = await writePhotos(join(folder, 'photos'), 4);
    const latents = join(folder, 'latents');
    const autoencoder = 'test/golden/autoencoders/kl';
    const data = { source: 'folder', path: photos, size: 8 } as const;
    await encodeData({ data }, latents, { autoencoder, backend });
    const { run: of } = await train(
      {
        name: 'latent',
        data: { source: 'latents', path: latents },
        model: { width: 16, depth: 1, heads: 2, patchSize: 2 },
        train: { steps: 2, batchSize: 4, sampleEvery: 0 },
        sample: { steps: 2 },
      },
      { runs: folder, backend },
    );
    const path = await samplePath(of, { backend, labels: ['dogs'] });
    const made = await sample(of, { backend, labels: ['dogs'], count: 1 });
    expect(path.pictures!.shape).toEqual([3, 8, 8]);
    expect(path.pictures!.states.slice(-192)).toEqual(made.pictures!.values);
    const { rows } = pathPictures(path)!;
    expect([...rows.keys()]).toEqual(['state', 'foreseen']);
    expect(rows.get('foreseen')!.slice(-192)).toEqual(made.pictures!.values);
    expect(rows.get('foreseen')!.slice(0, 384)).toEqual(path.pictures!.foreseen);
    expect(pathPictures(await samplePath(of, { backend, decode: false }))).toBeUndefined();
  });
});
