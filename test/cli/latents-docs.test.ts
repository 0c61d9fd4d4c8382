// What docs/latents.md says of autoencoders, done.
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { fromDiffusersConfig } from '../../src/interop/autoencoders/diffusers-config.ts';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors-file.ts';
import { createAutoencoder } from '../../src/models/autoencoders/create.ts';
import { prefixed, toLDM } from '../support/autoencoder-files.ts';
import { type Finished, dist, rectiflow, startNode, temporaryFolder } from '../support/cli.ts';
import { docsBlocks, docsCommands, docsSection } from '../support/docs.ts';
import { goldenAutoencoders } from '../support/golden-autoencoders.ts';
import { storedWeights } from '../support/stored-weights.ts';

let folder: string;
let section: string;
const run = (...args: string[]): Promise<Finished> => rectiflow(folder, args);

/** Autoencoders by the names that the page gives them, as small as they can be. */
beforeAll(async () => {
  folder = await temporaryFolder();
  section = await docsSection('latents.md', '## Autoencoders');
  const { sd, tiny } = goldenAutoencoders;
  await cp(sd.folder, join(folder, 'sd-vae-ft-mse'), { recursive: true });
  await cp(tiny.folder, join(folder, 'taesd'), { recursive: true });
  const { tensors } = await readSafetensors(join(sd.folder, 'diffusion_pytorch_model.safetensors'));
  const whole = prefixed(toLDM(tensors, 2), 'first_stage_model.');
  await writeSafetensors(join(folder, 'v1-5-pruned.safetensors'), whole);
});

describe('docs/latents.md, of autoencoders', () => {
  it('has commands that say what an autoencoder is', async () => {
    const [kl, tiny, file, ...more] = docsCommands(section);
    expect(more).toEqual([]);
    const described = await run(...kl!);
    expect(described).toMatchObject({ code: 0, stderr: '' });
    expect(described.stdout).toMatch(
      /^sd-vae-ft-mse\n {2}autoencoder {2}AutoencoderKL, a folder of diffusers\n {2}pictures {5}3 channels, sides multiples of 2\n {2}latents {6}4 channels, one pixel for 2x2 of the picture\n {2}layers {7}16, 32 wide, 1 block each, norms of 8 groups, attention, quant convolutions\n {2}scaling {6}a model sees \(latent - 0\) \* 0\.18215\n {2}parameters {3}167,959\n {2}per picture {2}of 256x256: \d+\.\d GFLOP to encode, \d+\.\d GFLOP to decode\n {2}memory {7}\d/,
    );
    expect(described.stdout).toMatch(/^ {2}tiles {8}blended, .*\n {2}fingerprint {2}[\da-f]{64}\n$/m);
    const small = await run(...tiny!);
    expect(small.code).toBe(0);
    expect(small.stdout).toMatch(/^ {2}layers {7}8 wide, blocks 1, 2, 1 and 2, 1, 1$/m);
    expect(small.stdout).toMatch(/^ {2}scaling {6}a model sees latents as they are$/m);
    expect(small.stdout).toMatch(/^ {2}per picture {2}of 512x512: /m);
    expect(small.stdout).toMatch(/^ {2}tiles {8}exact, /m);
    // Norms of 8 groups are those of no known one: a single file cannot tell them.
    expect(await run(...file!)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^error: v1-5-pruned\.safetensors: has 16, 32 channels, .*Give --norm-groups/,
      ),
    });
  });

  it('shows a config that is one', () => {
    const [config] = docsBlocks(section, 'json').map((block) => JSON.parse(block) as Record<string, unknown>);
    expect(fromDiffusersConfig(config!, 'config.json').config).toMatchObject({
      quantConv: false,
      scaling: { scale: 0.3611, shift: 0.1159 },
    });
  });

  it('shows code that runs', async () => {
    const [code] = docsBlocks(section, 'js');
    const installed = join(folder, 'node_modules/rectiflow');
    await mkdir(installed, { recursive: true });
    await writeFile(join(installed, 'package.json'), '{ "type": "module", "exports": "./index.js" }');
    const index = JSON.stringify(pathToFileURL(join(dist, 'index.js')));
    await writeFile(join(installed, 'index.js'), `export * from ${index};`);
    await writeFile(join(folder, 'example.mjs'), code!);
    const { code: status, stdout, stderr } = await startNode(folder, ['example.mjs']).finished;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^\[ 1, 4, 32, 48 \] 6144 \[ 1, 3, 64, 96 \] [\da-f]{64}\n$/);
  });
});

describe('info of an autoencoder', () => {
  it('whose scale nothing tells says so, and does not fail', async () => {
    const autoencoder = createAutoencoder({ kind: 'kl', latentChannels: 8, blockOutChannels: [32] });
    const tensors = storedWeights(autoencoder);
    await writeSafetensors(join(folder, 'ae.safetensors'), tensors);
    const { code, stdout } = await run('info', 'ae.safetensors');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^note: ae\.safetensors comes without a config: norms of 32 groups are assumed, .*\nnote: ae\.safetensors comes without a config, and nothing tells the scale and shift of its 8 channels/m,
    );
  });

  it('of a class that is not read, or at a size that does not fit, is an error', async () => {
    await mkdir(join(folder, 'wan'));
    await writeFile(join(folder, 'wan/config.json'), JSON.stringify({ _class_name: 'AutoencoderKLWan' }));
    expect((await run('info', 'wan')).stderr).toMatch(
      /^error: wan\/config\.json: is the config of "AutoencoderKLWan"\. AutoencoderKL and AutoencoderTiny are read/,
    );
    expect((await run('info', 'taesd', '--image-size', '30x36')).stderr).toMatch(
      /^error: autoencoder: size of a picture must be multiples of 4 on both sides; nearest are 28x36 and 32x36, got 30x36/,
    );
  });
});
