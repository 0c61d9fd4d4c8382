import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ShareOptions, type SharedRun, shareRun } from '../../src/api/share/run.ts';
import { train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { pngText } from '../../src/formats/png-text.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
let folder: string;
let page: string;
const runs: Record<string, string> = {};

beforeAll(async () => {
  folder = await temporaryFolder();
  page = join(folder, 'page');
  await mkdir(page);
  await writeFile(join(page, 'index.html'), '<!doctype html>');
  const settings = { train: { ...tinyStripes.train, steps: 2, logEvery: 1 }, sample: { steps: 2 } };
  for (const name of ['first', 'second']) {
    const config = { ...tinyStripes, ...settings, name };
    runs[name] = (await train(config, { runs: join(folder, 'runs'), source: stripes(), backend })).run;
  }
});

let shares = 0;
const share = (name: string, changes: Partial<ShareOptions> = {}): Promise<SharedRun> =>
  shareRun(runs[name]!, {
    to: join(folder, `share-${shares++}`),
    page,
    backend,
    numbers: 'int8',
    ...changes,
  });

describe('a gallery', () => {
  it('has each model once, with its samples, below what its owner wrote', async () => {
    const gallery = join(folder, 'gallery');
    await share('second', { gallery });
    const shared = await share('first', { gallery, note: 'Made with `care` | and <b>patience</b>.' });
    const { gallery: readme } = shared;
    expect(readme).toBe(join(gallery, 'README.md'));
    const text = await readFile(readme!, 'utf8');
    expect(text).toMatch(/^# Gallery\n/);
    expect([...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual(['first', 'second']);
    expect(text).toContain('![Samples](first.png)');
    expect(text).toContain('Made with \\`care\\` \\| and \\<b\\>patience\\</b\\>.');
    expect(text).toMatch(/\| Trained on \| .*17 samples \|/);
    expect(text).toMatch(/\| Training \| 2 of 2 steps, \d+ s on \d+ cores? of .* \|/);
    expect(text).toMatch(
      /\| As a page \| .* MB of weights in int8: samples differ by .* % of their deviation \|/,
    );
    expect(text).toContain(`*${shared.card.picture!.text}*`);
    const png = await readFile(join(gallery, 'first.png'));
    expect(png).toEqual(await readFile(join(shared.folder, 'samples.png')));
    expect(JSON.parse(pngText(png, 'rectiflow')!)).toMatchObject({ run: 'first', step: 2, seed: 0 });

    await writeFile(readme!, `# Mine\n\nHello.\n\n${text.slice(text.indexOf('<!-- models'))}`);
    await share('first', { gallery, title: 'Better' });
    const again = await readFile(readme!, 'utf8');
    expect(again).toMatch(/^# Mine\n\nHello.\n\n<!-- models/);
    expect([...again.matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual(['Better', 'second']);
    expect(await readdir(gallery)).toEqual([
      'README.md',
      'first.json',
      'first.png',
      'second.json',
      'second.png',
    ]);
  });

  it('leaves alone what is somebody else’s, before anything is made', async () => {
    const gallery = join(folder, 'docs');
    await mkdir(gallery);
    await writeFile(join(gallery, 'first.png'), 'mine');
    const to = join(folder, 'never');
    await expect(share('first', { gallery, to })).rejects.toThrow(
      /first.png: is not of a model of the gallery/,
    );
    await writeFile(join(gallery, 'README.md'), '# Mine');
    await expect(share('second', { gallery, to })).rejects.toThrow(
      /README.md: is no page of a gallery. .*<!-- models/,
    );
    expect(await readdir(gallery)).toEqual(['README.md', 'first.png']);
    expect(await readdir(folder)).not.toContain('never');
  });
});
