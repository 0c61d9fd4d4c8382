// What training takes of a GPU is known before any of it is allocated, is all that is allocated then, and is made smaller where that is too much.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGpu } from '../../../src/backends/webgpu/adapter.ts';
import { backendOn } from '../../../src/backends/webgpu/index.ts';
import { openNodeGpu } from '../../../src/backends/node-gpu.ts';
import { planPlaces } from '../../../src/backends/webgpu/places.ts';
import type { Gpu } from '../../../src/backends/webgpu/device.ts';
import type { ConfigInput } from '../../../src/config/config.ts';
import { resolveConfig } from '../../../src/config/resolve-config.ts';
import { type TrainOptions, train } from '../../../src/index.ts';
import { type Program, bytesOf, planMemory } from '../../../src/program/index.ts';
import { createModel } from '../../../src/train/create-model.ts';
import { allocateState } from '../../../src/train/state.ts';
import { allPrograms } from '../../../src/train/step-programs.ts';
import { stepPrograms } from '../../../src/train/step-shapes.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { testGpu } from '../../support/gpu.ts';
import { checkpointDigests, stripes, tinyStripes } from '../../support/tiny-run.ts';

const { skip } = testGpu;
const steps = 4;
const storage = 128;
const smallestSlab = 2 ** 20;
const small = {
  ...tinyStripes,
  // Values of a step are larger than all gradients, and than those of a grid.
  model: { ...tinyStripes.model, patchSize: 1 },
  sample: { steps: 1, labels: [0], perClass: 1 },
  train: { ...tinyStripes.train, steps, batchSize: 8, precision: 'fp32' },
  backend: { name: 'webgpu' },
} as const;

function programsOf(microBatch: number, input: ConfigInput = small): Program[] {
  const config = resolveConfig(input, { facts: stripes() });
  const model = createModel(config.model);
  return allPrograms(stepPrograms(config, model, undefined, {}).of(microBatch));
}

/** A device of its own, and the bytes of what is allocated on it for shaders. */
async function counting(): Promise<{ readonly gpu: Gpu; bytes(): number }> {
  const gpu = await openGpu((await openNodeGpu()).source);
  let bytes = 0;
  const { device } = gpu;
  const create = device.createBuffer.bind(device);
  device.createBuffer = (asked) => {
    if (asked.usage & storage) bytes += asked.size;
    return create(asked);
  };
  return { gpu, bytes: () => bytes };
}

async function trained(options: TrainOptions, microBatch: number | 'auto' = 'auto'): Promise<string> {
  const config = { ...small, train: { ...small.train, microBatch } };
  const { run } = await train(config, { source: stripes(), runs: await temporaryFolder(), ...options });
  return run;
}

describe.skipIf(skip)(`memory of a GPU${skip ? ` (skipped: ${skip})` : ''}`, { timeout: 240_000 }, () => {
  it.each([8, 3])('is all that is allocated, with micro-batches of %i', async (microBatch) => {
    const { gpu, bytes } = await counting();
    const backend = backendOn(gpu);
    const programs = programsOf(microBatch);
    const needs = backend.deviceNeeds!(programs.map((program) => backend.lower(program)));
    expect(bytes()).toBe(0);
    const buffers = allocateState(backend, ...programs);
    expect(bytes()).toBe(needs.state);
    for (const program of programs) await backend.compile(program, buffers);
    expect(bytes()).toBe(needs.state + needs.values + needs.scratch);
    expect(needs).toMatchObject({ most: gpu.mostBytes, isSeparate: false });
    await backend.dispose();
    await gpu.close();
  });

  it('is of buffers that are not larger than a device allows, as long as no value is', () => {
    const backend = backendOn(testGpu.gpu!);
    const program = backend.lower(programsOf(5, tinyStripes)[0]!);
    const plan = planMemory(program);
    const largest = Math.max(...plan.placements.map(({ tensor }) => bytesOf(tensor)));
    const most = Math.ceil(largest / 256) * 256;
    const [free, bounded] = [2 ** 27, most].map((bytes) => planPlaces(program, plan, bytes).sizes);
    expect(Math.max(...free!)).toBeGreaterThan(most);
    expect(Math.max(...bounded!)).toBeLessThanOrEqual(most);
    expect(bounded!.length).toBeGreaterThan(free!.length);
  });

  describe('of which nobody knows how much there is', () => {
    /** Bytes of a buffer of values, beyond which a device has no memory. */
    let room = Infinity;
    let restore = (): void => {};

    beforeAll(async () => {
      const { source, release } = await openNodeGpu();
      const adapter = (await source.requestAdapter()) as GPUAdapter;
      const prototype = Object.getPrototypeOf(adapter) as GPUAdapter;
      const { requestDevice } = prototype;
      prototype.requestDevice = async function bound(...wanted): Promise<GPUDevice> {
        const device = await requestDevice.apply(this, wanted);
        const create = device.createBuffer.bind(device);
        device.createBuffer = (asked) => {
          const isValues = asked.usage & storage && asked.size < smallestSlab;
          const error = new GPUOutOfMemoryError('it is full');
          if (isValues && asked.size > room)
            queueMicrotask(() => device.onuncapturederror?.({ error } as never));
          return create(asked);
        };
        return device;
      };
      restore = () => {
        prototype.requestDevice = requestDevice;
        release();
      };
    });
    afterAll(() => restore());

    it('fewer samples at a time are tried where that is too little, and it is told', async () => {
      const backend = backendOn(testGpu.gpu!);
      const [four, two] = [4, 2].map((samples) => {
        const programs = programsOf(samples).map((program) => backend.lower(program));
        const sizes = programs.flatMap((program) => planPlaces(program, planMemory(program), 2 ** 27).sizes);
        return Math.max(...sizes);
      });
      expect(four).toBeGreaterThan(two!);
      const wanted = await trained({}, 2);
      room = two!;
      const notices: string[] = [];
      const run = await trained({ onNotice: (text) => void notices.push(text) });
      room = Infinity;
      expect(notices.filter((text) => /memory/.test(text))).toEqual([
        expect.stringMatching(
          /^webgpu: .* has not so much memory \(it is full\): 8 samples at a time are too many, and 4 are tried/,
        ),
        expect.stringMatching(
          /: 4 samples at a time are too many, and 2 are tried\. Set train\.microBatch to what fits\.$/,
        ),
      ]);
      expect(JSON.parse(await readFile(join(run, 'config.json'), 'utf8'))).toMatchObject({
        config: { train: { microBatch: 2 } },
      });
      expect(await checkpointDigests(run, steps)).toEqual(await checkpointDigests(wanted, steps));
    });

    it('it is an error where not even one sample has room, or the user chose', async () => {
      room = 2 ** 10;
      const runs = await temporaryFolder();
      const said = /has not so much memory \(it is full\)\. Set train\.microBatch lower, or train\.memory/;
      await expect(trained({ runs })).rejects.toThrow(said);
      const notices: string[] = [];
      const onNotice = (text: string): void => void notices.push(text);
      await expect(trained({ runs, onNotice }, 4)).rejects.toThrow(said);
      expect(notices.filter((text) => /tried/.test(text))).toEqual([]);
      room = Infinity;
    });
  });
});

/** What tells of it is known by its name alone. */
class GPUOutOfMemoryError {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}
