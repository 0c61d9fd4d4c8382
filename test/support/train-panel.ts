// Training in the tab: the panel of the page of a shared model, and what is done in it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import { shareRun } from '../../src/api/share/run.ts';
import { train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { arraySource } from '../../src/sources/arrays.ts';
import { writeClassPictures } from './class-pictures.ts';
import { temporaryFolder } from './cli.ts';
import { dropFiles } from './drop-files.ts';
import { randomValues } from './random.ts';
import type { SharedPage } from './shared-page.ts';
import { stripes, tinyStripes } from './tiny-run.ts';
import { checkSeen } from './watched-page.ts';

/** A page with a model of grey pictures of 8x12, of the classes thin, wide and none. @returns its folder */
export async function stripesPage(runs: string, to: string): Promise<string> {
  const backend = referenceBackend();
  const source = { ...stripes(), classNames: ['thin', 'wide', 'none'] };
  const config = { ...tinyStripes, sample: { steps: 4, perClass: 2 } };
  const { run } = await train(config, { runs, source, backend });
  return (await shareRun(run, { to, numbers: 'float16', backend })).folder;
}

/** That page, and a folder of twelve pictures of two classes, to be dropped into it. */
export async function stripesPageAndPictures(): Promise<{
  readonly site: string;
  readonly pictures: string;
}> {
  const folder = await temporaryFolder();
  const pictures = join(folder, 'pets');
  await writeClassPictures(pictures, ['low', 'up'], 6, [16, 16]);
  return { site: await stripesPage(folder, join(folder, 'site')), pictures };
}

/** A page with a model of grey pictures of 8x12 that is told up to 12 tokens of captions, which it learnt. @returns its folder */
export async function captionsPage(runs: string, to: string): Promise<string> {
  const backend = referenceBackend();
  const { images, shape, captions } = captioned;
  const text = { tokenizer: 'byte-pairs', vocabulary: 530, length: 12, width: 8, depth: 1, heads: 2 };
  const { run } = await train(
    {
      ...tinyStripes,
      name: 'captioned',
      model: { kind: 'text-dit', width: 16, depth: 1, heads: 2, patchSize: 4, text },
      train: { ...tinyStripes.train, steps: 2 },
      sample: { steps: 4, perClass: 2 },
    },
    { runs, source: arraySource({ images, shape, captions }), backend },
  );
  return (await shareRun(run, { to, numbers: 'float16', backend })).folder;
}

const captioned = {
  images: Float32Array.from(randomValues(8 * 96, 3)),
  shape: [1, 8, 12],
  captions: Array.from({ length: 8 }, (_, i) => `a ${i % 2 === 0 ? 'thin' : 'wide'} stripe`),
} as const;

export function trainPanel({ page }: SharedPage): Locator {
  return page.getByRole('region', { name: 'Train', exact: true });
}

/** Drops files and folders, and waits until so many pictures of them are read. */
export async function dropPictures(
  shared: SharedPage,
  paths: readonly string[],
  count: number,
): Promise<void> {
  const panel = trainPanel(shared);
  // Before, what is above the panel grows, and the panel moves.
  await checkSeen(shared.page.getByText('Made in'));
  await dropFiles(shared.page, panel.getByRole('group', { name: 'Pictures', exact: true }), paths);
  await checkSeen(panel.getByText(new RegExp(`^${count} pictures? of`)));
}

/** Sets what is set, and begins. */
export async function beginTraining(
  shared: SharedPage,
  { steps, every = steps }: { readonly steps: number; readonly every?: number },
): Promise<void> {
  const panel = trainPanel(shared);
  await panel.getByLabel('Training steps').fill(String(steps));
  await panel.getByLabel('Batch size').fill('4');
  await panel.getByLabel('Steps between samples').fill(String(every));
  await panel.getByRole('button', { name: 'Train', exact: true }).click();
}

/** What "Download it" gives: a file of safetensors. */
export async function downloadedModel(shared: SharedPage): Promise<Buffer> {
  const download = shared.page.waitForEvent('download');
  await trainPanel(shared).getByRole('button', { name: 'Download it' }).click();
  return readFile(await (await download).path());
}
