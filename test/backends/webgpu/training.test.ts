// Training on WebGPU as its users do it: the numbers are those of the reference, a run that was stopped goes on to the bit, and a process
// that has held a GPU ends by itself.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../../src/backends/backend.ts';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import { backendOn } from '../../../src/backends/webgpu/index.ts';
import { type TrainOptions, resume, sample, train } from '../../../src/index.ts';
import type { ConfigInput } from '../../../src/config/config.ts';
import { type Finished, rectiflow, startRectiflow, temporaryFolder } from '../../support/cli.ts';
import { testGpu } from '../../support/gpu.ts';
import { checkpointDigests, stripes, tinyStripes } from '../../support/tiny-run.ts';

const { gpu, skip } = testGpu;
const steps = 8;
const slow = { timeout: 120_000 };

/** A run of stripes in a folder of its own. */
async function trained(
  backend: Backend,
  changes: ConfigInput['train'] & object,
  options: TrainOptions = {},
): Promise<string> {
  const runs = await temporaryFolder();
  const config = { ...tinyStripes, train: { ...tinyStripes.train, steps, ...changes } };
  const { run } = await train(config, { source: stripes(), runs, backend, ...options });
  return run;
}

async function lossesOf(backend: Backend, changes: ConfigInput['train'] & object): Promise<number[]> {
  const losses: number[] = [];
  await trained(backend, { ...changes, logEvery: 1 }, { onStep: ({ loss }) => void losses.push(loss) });
  await backend.dispose();
  return losses;
}

describe.skipIf(skip !== undefined)(`training on WebGPU${skip ? ` (skipped: ${skip})` : ''}`, slow, () => {
  it.each([
    ['fp32', 1e-5],
    ['bf16', 1e-2],
    ['fp16', 1e-3],
  ] as const)('has the losses of the reference, in %s within %f', async (precision, tolerance) => {
    const wanted = await lossesOf(referenceBackend({ precision }), { precision });
    const found = await lossesOf(backendOn(gpu!, { precision }), { precision });
    expect(found).toHaveLength(steps);
    for (const [i, loss] of found.entries()) expect(Math.abs(loss - wanted[i]!)).toBeLessThan(tolerance);
  });

  it('has those of shards, whose sums are of parts of the weights', async () => {
    const shards = { batchSize: 4, shards: 4 };
    const wanted = await lossesOf(referenceBackend(), shards);
    const found = await lossesOf(backendOn(gpu!), shards);
    for (const [i, loss] of found.entries()) expect(Math.abs(loss - wanted[i]!)).toBeLessThan(1e-5);
  });

  it.each<ConfigInput['train'] & object>([{ precision: 'bf16' }, { microBatch: 2 }])(
    'goes on to the bit after it was stopped, with %o',
    async (changes) => {
      const { precision = 'fp32' } = changes as { readonly precision?: 'bf16' };
      const backend = (): Backend => backendOn(gpu!, { precision });
      const whole = await trained(backend(), changes);
      const stop = new AbortController();
      const stopped = await trained(backend(), changes, {
        signal: stop.signal,
        onStep: ({ step }) => step === 4 && stop.abort(),
      });
      const notices: string[] = [];
      const { step } = await resume(stopped, {
        source: stripes(),
        backend: backend(),
        onNotice: (text) => void notices.push(text),
      });
      expect({ step, notices }).toEqual({ step: steps, notices: [] });
      expect(await checkpointDigests(stopped, steps)).toEqual(await checkpointDigests(whole, steps));
    },
  );

  it('makes the samples of the reference', async () => {
    const run = await trained(referenceBackend(), {});
    const made = async (backend: Backend): Promise<Float32Array> =>
      (await sample(run, { count: 2, seed: 3, guidance: 2, backend })).values;
    const [wanted, found] = [await made(referenceBackend()), await made(backendOn(gpu!))];
    expect(found).toHaveLength(wanted.length);
    for (const [i, value] of found.entries()) expect(Math.abs(value - wanted[i]!)).toBeLessThan(1e-4);
  });
});

describe.skipIf(skip !== undefined)(`a process with a GPU${skip ? ` (skipped: ${skip})` : ''}`, slow, () => {
  const config = {
    name: 'tiny',
    data: { source: 'digits', split: 'test' },
    model: { width: 16, depth: 1, heads: 2, patchSize: 14 },
    train: { steps: 4, batchSize: 4, sampleEvery: 2 },
    sample: { steps: 2, perClass: 1, labels: [0] },
    backend: { name: 'webgpu' },
  } as const satisfies ConfigInput;

  it('trains, samples, tells of its GPU, and ends each time', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'tiny.json'), JSON.stringify(config));
    const run = async (...args: string[]): Promise<Finished> => {
      const { code, stdout, stderr } = await rectiflow(folder, args);
      expect({ code, stderr: stderr.replace(/^note: .* is a program, not a GPU: .*\n/, '') }).toEqual({
        code: 0,
        stderr: '',
      });
      return { code, stdout, stderr };
    };
    expect((await run('train', 'tiny.json')).stdout).toMatch(/^backend {2}.* by WebGPU, fp32$/m);
    await run('sample', 'tiny', '--count', '1');
    expect((await run('info', 'tiny')).stdout).toMatch(/^Memory of training with .* by WebGPU, fp32:$/m);
    const { stdout } = await rectiflow(folder, ['doctor', 'tiny.json']);
    expect(stdout).toMatch(/^warn {2}gpu {12}.*: buffers to .* slower than cpu/m);
  });

  it('stops at Ctrl-C', async () => {
    const folder = await temporaryFolder();
    const long = { ...config, train: { ...config.train, steps: 1_000_000, sampleEvery: 0 } };
    await writeFile(join(folder, 'tiny.json'), JSON.stringify(long));
    const training = startRectiflow(folder, ['train', 'tiny.json']);
    await training.saw(/^step 1\//m);
    training.process.kill('SIGINT');
    const { code, stdout } = await training.finished;
    expect(code).toBe(130);
    expect(stdout).toMatch(/^Stopped after \d+ steps?, saved runs\/tiny\/checkpoints\/step-\d+\.$/m);
  });

  it('that finds none says what to install', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'tiny.json'), JSON.stringify(config));
    const none = { VK_ICD_FILENAMES: join(folder, 'none.json') };
    const { code, stderr } = await startRectiflow(folder, ['train', 'tiny.json'], none).finished;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: webgpu: there is no GPU .* apt-get install libvulkan1.* backend\.name/m);
    // What is found by itself is no error where it is not there.
    const auto = await startRectiflow(folder, ['info', 'DiT-S/8', '--image-size', '32'], none).finished;
    expect(auto).toMatchObject({ code: 0 });
  });
});
