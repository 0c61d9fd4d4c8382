// What a model is told is said when a run begins, and stays what it was when the run goes on.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkData } from '../../src/api/data.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { plain } from '../sources/images/pictures.ts';
import { temporaryFolder } from '../support/cli.ts';

const backend = referenceBackend();
let folder: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  await rm(join(folder, 'photos'), { recursive: true, force: true });
  for (const name of ['cat/0', 'cat/1', 'dog/0', 'dog/1']) {
    const file = join(folder, 'photos', `${name}.png`);
    await mkdir(dirname(file), { recursive: true });
    await plain(name.startsWith('cat') ? '#336699' : '#993366', 8, 8)
      .png()
      .toFile(file);
  }
});

const config = (model: Partial<ConfigInput['model']> = {}, data: object = {}): ConfigInput => ({
  name: 'pets',
  data: { source: 'folder', path: join(folder, 'photos'), size: 8, ...data },
  model: { width: 8, depth: 1, heads: 1, patchSize: 4, ...model },
  train: { steps: 2, batchSize: 2, sampleEvery: 0, checkpointEvery: 0, logEvery: 1 },
});

describe('training', () => {
  it('says what the model is told, and what is not used', async () => {
    await writeFile(join(folder, 'photos/cat/0.heic'), '');
    const [told, notices]: [string[], string[]] = [[], []];
    await train(config(), {
      runs: join(folder, 'a'),
      backend,
      onStart: (start) => told.push(start.told),
      onNotice: (text) => notices.push(text),
    });
    expect(told).toEqual(['labels (2 classes, by folder)']);
    expect(notices).toContain(
      'Not used: 1 .heic file: cat/0.heic. Convert it to PNG or JPEG: heif-convert FILE out.png.',
    );
  });

  it('goes on with classes where captions have come to lie beside the images', async () => {
    const runs = join(folder, 'b');
    const stop = new AbortController();
    const { run, finished: atOnce } = await train(config(), {
      runs,
      backend,
      signal: stop.signal,
      onStep: () => stop.abort(),
    });
    expect(atOnce).toBe(false);
    for (const name of ['cat/0', 'cat/1', 'dog/0', 'dog/1']) {
      await writeFile(join(folder, 'photos', `${name}.txt`), 'a pet');
    }
    // A run that began now would be told them.
    expect((await checkData(config())).told).toContain('captions');
    const told: string[] = [];
    const { finished } = await resume(run, { backend, onStart: (start) => told.push(start.told) });
    expect(finished).toBe(true);
    expect(told).toEqual(['labels (2 classes, by folder)']);
  });
});

describe('model.text without captions', () => {
  const text = { width: 8, depth: 1, heads: 1, length: 6 };
  const start = (data: object = {}): Promise<unknown> =>
    train(config({ text }, data), { runs: join(folder, 'c'), backend });

  it('says what the model would be told, where captions were looked for and what is not used', async () => {
    for (const name of ['cat/0', 'cat/1']) await writeFile(join(folder, 'photos', `${name}.cap`), 'a cat');
    await expect(start()).rejects.toThrow(
      'config: model.text is set, but the model would be told labels (2 classes, by folder). Captions were looked for in ' +
        'metadata.jsonl, .csv or .parquet with a column text, and name.txt beside name.png. ' +
        'Not used: 2 .cap files: cat/0.cap, cat/1.cap. Add captions',
    );
  });

  it('says that the config wants something else', async () => {
    await expect(start({ condition: 'none' })).rejects.toThrow(
      'config: model.text is set, but the model would be told nothing: unconditional, as data.condition is none. Set it to caption',
    );
  });
});
