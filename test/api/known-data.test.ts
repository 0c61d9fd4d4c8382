// What is known of the data goes with weights that leave rectiflow, and comes back with them.
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type ImportOptions,
  arraySource,
  exportRun,
  importRun,
  resume,
  sample,
  train,
} from '../../src/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { latestCheckpoint } from '../../src/runs/checkpoint.ts';
import { checkpointFolder } from '../../src/runs/run-folder.ts';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors-file.ts';
import type { Source } from '../../src/data/source.ts';
import { type DataRecord, dataOf } from '../../src/known/data-record.ts';
import { temporaryFolder } from '../support/cli.ts';
import { plain } from '../sources/images/pictures.ts';
import { tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const names = ['tench, Tinca tinca', 'goldfish', 'shark'];
const config = {
  ...tinyStripes,
  model: { ...tinyStripes.model, imageSize: [8, 8] },
  train: { ...tinyStripes.train, steps: 2 },
} as const;

function fish(classNames: readonly string[]): Source {
  const images = new Float32Array(6 * 64);
  return arraySource({ name: 'fish', images, shape: [1, 8, 8], labels: [0, 1, 2, 0, 1, 2], classNames });
}

let folder: string;
let run: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  ({ run } = await train(config, { runs: folder, source: fish(names), backend }));
});

let files = 0;
async function exported(from: string, layout: 'public' | 'diffusers' | 'onnx', name = ''): Promise<string> {
  const to = join(folder, `exported-${files++}${name}`);
  await exportRun(from, { to, layout });
  return to;
}

async function imported(
  path: string,
  options: ImportOptions = {},
): Promise<{ run: string; data: DataRecord; notices: string[] }> {
  const notices: string[] = [];
  const made = await importRun(path, {
    runs: join(folder, 'runs'),
    ...options,
    onNotice: (text) => notices.push(text),
  });
  return { run: made.run, data: dataOf(await latestCheckpoint(checkpointFolder(made.run))), notices };
}

describe('class names', () => {
  it.each(['public', 'diffusers'] as const)(
    'survive %s export and import, and samples are made by them',
    async (layout) => {
      const { run: back, data } = await imported(await exported(run, layout));
      expect(data).toEqual({ classNames: names, told: 'class' });
      const { annotations } = await sample(back, { backend, labels: ['goldfish'], count: 1 });
      expect(annotations).toEqual([{ label: 1 }]);
    },
  );

  it('stand in the config of diffusers and in the metadata of ONNX', async () => {
    const diffusers = await exported(run, 'diffusers');
    const { id2label } = JSON.parse(await readFile(join(diffusers, 'config.json'), 'utf8'));
    expect(id2label).toEqual({ 0: names[0], 1: 'goldfish', 2: 'shark' });
    const onnx = await exported(run, 'onnx', '.onnx');
    expect(await readFile(onnx, 'utf8')).toContain(JSON.stringify(names));
  });

  it('come from the pipeline around a model of diffusers', async () => {
    const pipeline = join(folder, 'pipeline');
    await mkdir(pipeline);
    const transformer = join(pipeline, 'transformer');
    await cp(await exported(run, 'diffusers'), transformer, { recursive: true });
    const weights = join(transformer, 'diffusion_pytorch_model.safetensors');
    const { tensors } = await readSafetensors(weights);
    const bare = join(folder, 'bare.safetensors');
    await writeSafetensors(bare, tensors);
    await cp(bare, weights);
    const file = join(transformer, 'config.json');
    const { id2label, ...model } = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify(model));
    await writeFile(
      join(pipeline, 'model_index.json'),
      JSON.stringify({ _class_name: 'DiTPipeline', id2label }),
    );
    expect((await imported(pipeline)).data).toEqual({ classNames: names });
  });

  it('that are none of the model are left out, with a word', async () => {
    const path = await exported(run, 'public');
    const { tensors, metadata } = await readSafetensors(path);
    for (const [data, said] of [
      [
        JSON.stringify({ classNames: ['a', 'b', 'c', 'd'] }),
        /its 4 class names are not used: they are no names of 3 classes/,
      ],
      [JSON.stringify({ classNames: ['a', 'a', 'b'] }), /its 3 class names are not used/],
      [JSON.stringify({ classNames: 3 }), /what it says of its data is not used: /],
      ['{', /what it says of its data is not used: /],
    ] as const) {
      const other = join(folder, `other-${files++}.safetensors`);
      await writeSafetensors(other, tensors, { ...metadata, data });
      const { data: known, notices } = await imported(other);
      expect(known).not.toHaveProperty('classNames');
      expect(notices).toEqual([expect.stringMatching(said)]);
    }
  });

  it('are compared with those of the data at once, where these can be opened', async () => {
    const path = await exported(run, 'public');
    const images = join(folder, 'animals');
    for (const animal of ['goldfish', 'lion', 'shark']) {
      await mkdir(join(images, animal), { recursive: true });
      await writeFile(join(images, animal, '0.png'), await plain('#808080').png().toBuffer());
    }
    const on = { ...config, data: { source: 'folder', path: images, size: 8, channels: 1 } } as const;
    const { notices } = await imported(path, { config: on });
    expect(notices).toEqual([
      expect.stringMatching(/"tench, Tinca tinca" is missing, the class "lion" is new/),
    ]);
    const lost = { ...on, data: { ...on.data, path: join(folder, 'nowhere') } };
    expect((await imported(path, { config: lost })).notices).toEqual([
      expect.stringMatching(/are not compared with what the weights know: .*nowhere/),
    ]);
  });

  it('are compared with those of the data that an imported run is trained on', async () => {
    const path = await exported(run, 'public');
    const on = { ...config, train: { ...config.train, batchSize: 2 } };
    const { run: back } = await imported(path, { config: on });
    const cats = fish(['lion', 'goldfish', 'shark']);
    await expect(resume(back, { source: cats, backend })).rejects.toThrow(
      /the class "tench, Tinca tinca" is missing/,
    );
    await resume(back, { source: cats, backend, acceptData: true });
    expect(dataOf(await latestCheckpoint(checkpointFolder(back))).classNames).toEqual([
      'lion',
      'goldfish',
      'shark',
    ]);
  });
});

describe('guidance', () => {
  const untold = async (): Promise<string> =>
    (await train({ ...config, flow: { labelDropout: 0 } }, { runs: folder, source: fish(names), backend }))
      .run;

  it('is refused where the null label was never trained, also after export and import', async () => {
    const trained = await untold();
    const { run: back } = await imported(await exported(trained, 'public'));
    for (const from of [trained, back]) {
      await expect(sample(from, { backend, count: 1, guidance: 3 })).rejects.toThrow(
        /^sample: guidance must be 1 \(none\): trained with flow\.labelDropout 0, .*as in 0\.1, got 3$/,
      );
      expect((await sample(from, { backend, count: 1 })).annotations).toHaveLength(3);
    }
  });

  it('is left out, with a word, where only the config asks for it', async () => {
    const path = await exported(await untold(), 'public');
    const { run: back } = await imported(path, { config });
    const notices: string[] = [];
    const { made } = await sample(back, { backend, count: 1, onNotice: (text) => notices.push(text) });
    expect(made).toMatchObject({ guidance: 1 });
    expect(notices).toEqual([expect.stringMatching(/^samples are made with guidance 1, not 2: /)]);
    const { classes: _, ...model } = config.model;
    const unconditional = { ...config, model: { ...model, classes: 0 } };
    const { run: free } = await train(unconditional, { runs: folder, source: fish(names), backend });
    await expect(sample(free, { backend, count: 1, guidance: 3 })).rejects.toThrow(
      /samples are told nothing .*got 3/,
    );
  });

  it('is as good as before where it was trained once, and is not trained any more', async () => {
    const copy = join(folder, 'copy');
    await cp(run, copy, { recursive: true });
    const file = join(copy, 'config.json');
    const text = await readFile(file, 'utf8');
    await writeFile(
      file,
      text
        .replace('"labelDropout": 0.1', '"labelDropout": 0')
        .replace('"steps": 2,', '"steps": 3,')
        .replace('"guidance": 2', '"guidance": 1'),
    );
    expect(await resume(copy, { backend, source: fish(names) })).toMatchObject({ step: 3 });
    expect(await sample(copy, { backend, count: 1, guidance: 2 })).toMatchObject({ step: 3 });
  });

  it('is said to be a guess with weights that tell nothing', async () => {
    const path = await exported(run, 'public');
    const { tensors, metadata } = await readSafetensors(path);
    const { nullLabel: _, ...others } = metadata;
    const bare = join(folder, 'untold.safetensors');
    await writeSafetensors(bare, tensors, others);
    const { run: back } = await imported(bare);
    const notices: string[] = [];
    await sample(back, { backend, count: 1, guidance: 3, onNotice: (text) => notices.push(text) });
    expect(notices).toEqual([expect.stringMatching(/^guidance 3 takes it that .* which nothing tells/)]);
    notices.length = 0;
    await sample(back, { backend, count: 1, guidance: 1, onNotice: (text) => notices.push(text) });
    expect(notices).toEqual([]);
  });
});
