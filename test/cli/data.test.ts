import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import type { DataReport } from '../../src/check/data-report.ts';
import { plain } from '../sources/images/pictures.ts';
import { clip } from '../text/tokenizers/clip.ts';
import { type Finished, rectiflow, startRectiflow, temporaryFolder } from '../support/cli.ts';
import { writeTiny } from '../support/h5ad.ts';

let folder: string;
const data = (...args: string[]): Promise<Finished> => rectiflow(folder, ['data', ...args]);

/** Pictures of reds and blues, each of a colour of its own. */
async function writePictures(name: string, perClass: number): Promise<void> {
  for (const [kind, base] of [
    ['blue', 0x00_00_40],
    ['red', 0x40_00_00],
  ] as const) {
    const path = join(folder, name, kind);
    await mkdir(path, { recursive: true });
    for (let i = 0; i < perClass; i++) {
      const colour = `#${(base + i * 0x10_10).toString(16).padStart(6, '0')}`;
      await plain(colour, 16, 20)
        .png()
        .toFile(join(path, `${i}.png`));
    }
  }
}

beforeAll(async () => {
  folder = await temporaryFolder();
  await writePictures('colours', 3);
  await writePictures('damaged', 2);
  await writeFile(join(folder, 'damaged/red/empty.png'), '');
  await writeFile(join(folder, 'colours.yaml'), 'data: { source: folder, path: colours, size: 8 }\n');
  await writeFile(join(folder, 'damaged.yaml'), 'data: { source: folder, path: damaged, size: 8 }\n');
  const rows = [
    [0, 4, 0],
    [1, 0, 3],
    [0, 0, 0],
  ];
  const obs = { type: { codes: [0, 1, 0], categories: ['B', 'T'] } };
  await writeTiny(join(folder, 'cells.h5ad'), { X: rows, cells: 3, genes: ['a', 'b', 'c'], obs });
  const cells = { source: 'expression', path: 'cells.h5ad', label: 'type', target: 10 };
  await writeFile(join(folder, 'cells.json'), JSON.stringify({ data: cells }));
});

describe('data check', () => {
  it('tells what there is, for a config without a model, and that all is well', async () => {
    const { code, stdout, stderr } = await data('check', 'colours.yaml');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(`colours: 6 samples of 8 x 8 (height x width), RGB

told           labels (2 classes, by folder)
classes        blue  ████████████████████████  3
               red   ████████████████████████  3
shorter side   16 to 31: all 6
width:height   3:4 to 4:3: all 6
formats        png: all 6
values         the model sees -1.00 to -0.247, mean -0.749, deviation 0.244

Nothing needs to be changed.
`);
  });

  it('names what cannot be read, says what to do, and ends with code 1', async () => {
    const { code, stdout } = await data('check', 'damaged.yaml');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^unreadable +1\n +damaged\/red\/empty\.png: is empty \(0 bytes\)\./m);
    expect(stdout).toMatch(/^To change:\n {2}1\. Samples that cannot be read: 1\. /m);
  });

  it.each(['colours', './colours/'])('takes a folder for the config that it would be: %s', async (target) => {
    const { code, stdout, stderr } = await data('check', target, '--set', 'data.size=8');
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^note: .*colours\/? is no config\. It is taken as one that says data: \{ source: folder, path: .*colours, size: 64 \}\n$/,
    );
    expect(stdout).toContain('colours: 6 samples of 8 x 8');
  });

  it('prints the same as JSON', async () => {
    const { code, stdout } = await data('check', 'damaged.yaml', '--set', 'data.size=4', '--json');
    expect(code).toBe(1);
    const report = JSON.parse(stdout) as DataReport;
    expect(report).toMatchObject({ count: 5, shape: [3, 4, 4], unreadable: { count: 1 } });
  });

  it('tells of gene expression how it is normalised and how much of it is zero', async () => {
    const { code, stdout } = await data('check', 'cells.json');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^cells\.h5ad: 3 cells, 3 genes each\n/);
    expect(stdout).toMatch(/^values +counts: each cell is scaled to 10 in all, then log\(1 \+ x\)\n/m);
    expect(stdout).toMatch(/^ +66\.7 % are zero; cells of zeros only: 1$/m);
  });
});

describe('data preview', () => {
  it('writes a picture of as many samples as it says', async () => {
    const { code, stdout } = await data('preview', 'colours.yaml', '--count', '4', '--out', 'seen/four.png');
    expect(code).toBe(0);
    expect(stdout).toBe('4 samples, the first of epoch 0\nLook at seen/four.png\n');
    expect((await sharp(join(folder, 'seen/four.png')).metadata()).format).toBe('png');
  });

  it('says of gene expression that there is no picture, and what to do', async () => {
    const { code, stderr } = await data('preview', 'cells.json');
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error: cells\.h5ad: samples are cells of \[3\] numbers: there is no picture .* rectiflow data check/,
    );
  });
});

describe('data pack', () => {
  it.each(['shards', 'array'])('writes %s that the settings it prints read', async (form) => {
    const to = `packed-${form}`;
    const { code, stdout } = await data('pack', 'colours.yaml', '--to', to, '--form', form);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^6 samples in 2 files, .* bytes|KiB: ${to}\n`));
    await writeFile(join(folder, `${to}.yaml`), /^data:\n(?: {2}.*\n)+/m.exec(stdout)![0]);
    const [before, after] = await Promise.all(
      ['colours.yaml', `${to}.yaml`].map(async (config) => {
        const report = JSON.parse((await data('check', config, '--json')).stdout) as DataReport;
        return { classes: report.classes, values: report.values, shape: report.shape };
      }),
    );
    expect(after).toEqual(before);
    const verified = await data('verify', to);
    expect(verified).toMatchObject({
      code: 0,
      stdout: `${to}: 6 samples in 2 files, as they were written\n`,
    });
  });

  it('says what is drawn once and for all', async () => {
    await writeFile(
      join(folder, 'flip.yaml'),
      'data: { source: folder, path: colours, transforms: [{ kind: center-crop, size: 8 }, { kind: horizontal-flip }] }\n',
    );
    const { code, stderr } = await data('pack', 'flip.yaml', '--to', 'flipped');
    expect(code).toBe(0);
    expect(stderr).toMatch(/^note: horizontal-flip: drawn once now/);
  });

  it('refuses a folder that is there, and leaves nothing of a pack that fails', async () => {
    const taken = await data('pack', 'colours.yaml', '--to', 'colours');
    expect(taken).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: colours: is there already\./),
    });
    const failed = await data('pack', 'damaged.yaml', '--to', 'never');
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/^error: damaged\/red\/empty\.png: is empty/);
    expect((await readdir(folder)).filter((name) => name.startsWith('never'))).toEqual([]);
  });

  it('is undone by Ctrl-C', async () => {
    const running = startRectiflow(folder, ['data', 'pack', 'digits', '--to', 'stopped']);
    await expect
      .poll(async () => (await readdir(folder)).some((name) => name.startsWith('stopped.partial')), {
        timeout: 20_000,
      })
      .toBe(true);
    running.process.kill('SIGINT');
    expect(await running.finished).toEqual({ code: 130, stdout: '', stderr: '' });
    expect((await readdir(folder)).filter((name) => name.startsWith('stopped'))).toEqual([]);
  });
});

it('data verify names the file that has changed', async () => {
  await data('pack', 'colours.yaml', '--to', 'spoilt', '--form', 'array');
  const path = join(folder, 'spoilt/samples.bin');
  const bytes = await readFile(path);
  bytes[0]! ^= 1;
  await writeFile(path, bytes);
  const { code, stderr } = await data('verify', 'spoilt');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: spoilt\/samples\.bin: has changed: SHA-256 must be /);
});

it.each([
  [
    ['encode-text', 'colours.yaml', '--model', 'm', '--tokenizer', 't', '--to', 'c'],
    /^error: text encoder: the package onnxruntime-node is not installed\. Install it: npm install/,
  ],
  [['get', 'emojj'], /^error: .* 'emojj' is invalid .* Allowed choices are digits, fashion, emoji/],
  [
    ['check', 'colours/blue/0.png'],
    /^error: colours\/blue\/0\.png: is a single image.* Give its folder, colours\/blue/,
  ],
  [['check', 'emojii'], /^error: .*no recipe "emojii"\. Did you mean "emoji"\?/],
  [['chek', 'colours.yaml'], /unknown command 'chek'\n\(Did you mean check\?\)/],
  [['preview', 'colours.yaml', '--count', '0'], /argument '0' is invalid\. It must be a whole number from 1/],
])('data %s ends with an error', async (args, message) => {
  const { code, stdout, stderr } = await data(...args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/^ +at /m);
});

/** Stands for the real package: the features of a token are its number, its place and 1. */
const onnxRuntime = `
class Tensor {
  constructor(type, data, dims) { Object.assign(this, { type, data, dims }); }
}
const session = {
  inputNames: ['input_ids'],
  async run({ input_ids: { data, dims } }) {
    const features = Array.from(data, Number).flatMap((id, i) => [id / 100, (i % dims[1]) / dims[1], 1]);
    return { last_hidden_state: new Tensor('float32', Float32Array.from(features), [...dims, 3]) };
  },
};
module.exports = { Tensor, InferenceSession: { create: async () => session } };`;

// The last: from here on the package is installed.
it('data encode-text makes embeddings that a model trains on and samples with', async () => {
  const installed = join(folder, 'node_modules/onnxruntime-node');
  await mkdir(installed, { recursive: true });
  await writeFile(join(installed, 'index.js'), onnxRuntime);
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(clip));
  await writeFile(join(folder, 'encoder.onnx'), '');
  await writePictures('told', 1);
  for (const [name, caption] of [
    ['red/0', 'red heart'],
    ['blue/0', 'cat'],
  ]) {
    await writeFile(join(folder, `told/${name}.txt`), caption!);
  }
  const settings = {
    data: { source: 'folder', path: 'told', size: 8 },
    model: { width: 16, depth: 1, heads: 2, patchSize: 4, text: { embeddings: 'captions.safetensors' } },
    train: { steps: 2, batchSize: 2, sampleEvery: 0 },
    sample: { steps: 2, perClass: 1, prompts: ['red cat'] },
    backend: { threads: 1 },
  };
  await writeFile(join(folder, 'told.json'), JSON.stringify(settings));
  const files = ['--model', 'encoder.onnx', '--tokenizer', 'tokenizer.json', '--to', 'captions.safetensors'];
  const encoded = await data('encode-text', 'told.json', ...files, '--prompt', 'heart');
  expect(encoded).toMatchObject({ code: 0, stderr: '' });
  // Red heart, cat, red cat, heart and the empty one.
  expect(encoded.stdout).toMatch(/^5 captions, the empty one among them: captions\.safetensors\n/);

  const trained = await rectiflow(folder, ['train', 'told.json']);
  expect(trained).toMatchObject({ code: 0, stderr: '' });
  const known = await rectiflow(folder, ['sample', 'told', '--prompt', 'heart', '--count', '1']);
  expect(known).toMatchObject({ code: 0, stderr: '' });
  const unknown = await rectiflow(folder, ['sample', 'told', '--prompt', 'dog']);
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toMatch(
    /^error: captions\.safetensors: the caption "dog" is not among the encoded ones/,
  );
});
