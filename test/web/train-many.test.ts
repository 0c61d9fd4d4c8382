// As many pictures as people have, dropped onto the page of a shared model.
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/cli.ts';
import { dropFiles } from '../support/drop-files.ts';
import { type SharedPage, sharedPage } from '../support/shared-page.ts';
import { beginTraining, dropPictures, stripesPage, trainPanel } from '../support/train-panel.ts';
import { checkSeen, noBrowser } from '../support/watched-page.ts';

const long = { timeout: 240_000 };
const patient = { timeout: 90_000 };
const perClass = 1250;
/** Two folders of one name are one class. */
const folders = ['home/cats', 'home/dogs', 'away/cats', 'away/birds'];

describe.skipIf(noBrowser)(`many pictures for a training in the tab (${noBrowser ?? 'in chromium'})`, () => {
  let folder: string;
  let shared: SharedPage;

  beforeAll(async () => {
    folder = await temporaryFolder();
    shared = await sharedPage(await stripesPage(folder, join(folder, 'site')));
  }, 120_000);
  afterAll(() => shared.close());

  /** A file of one colour. */
  async function writePicture(file: string, width: number, height: number): Promise<void> {
    const background = { r: 200, g: 120, b: 40 };
    await sharp({ create: { width, height, channels: 3, background } }).toFile(file);
  }

  it('are read with their progress, without those that are broken, and learnt from', long, async () => {
    const pets = join(folder, 'pets');
    await writePicture(join(folder, 'one.png'), 16, 16);
    for (const each of folders) {
      await mkdir(join(pets, each), { recursive: true });
      const numbers = Array.from({ length: perClass }, (_, i) => i);
      await Promise.all(numbers.map((i) => copyFile(join(folder, 'one.png'), join(pets, each, `${i}.png`))));
    }
    await writeFile(join(pets, 'home/dogs/700.png'), 'no picture');
    await writePicture(join(pets, 'away/birds/dot.png'), 1, 1);
    await writePicture(join(pets, 'away/birds/flat.png'), 8000, 10);
    await writePicture(join(pets, 'away/birds/wide.png'), 8000, 16);

    const { page, complaints } = shared;
    const panel = trainPanel(shared);
    const group = panel.getByRole('group', { name: 'Pictures', exact: true });
    await checkSeen(page.getByText('Made in'));
    const seen = page.evaluate<number[]>(`new Promise((resolve) => {
      const values = new Set();
      new MutationObserver((_, observer) => {
        const bar = document.querySelector('progress[aria-label="Reading pictures"]');
        if (bar) values.add(bar.value / bar.max);
        else if (values.size > 0) { observer.disconnect(); resolve([...values]); }
      }).observe(document.body, { subtree: true, childList: true, attributes: true });
    })`);
    await dropFiles(page, group, [pets]);
    await checkSeen(
      panel.getByText('5,000 pictures of 16 x 16, in colour: 3.8 MB of memory. 3 left out.'),
      patient,
    );
    const between = (await seen).filter((value) => value > 0 && value < 1);
    expect(between.length).toBeGreaterThan(10);
    expect(between).toEqual(between.toSorted((a, b) => a - b));
    expect(await panel.locator('.classes li').allInnerTexts()).toEqual([
      'birds 1,251',
      'cats 2,500',
      'dogs 1,249',
    ]);
    expect(await panel.locator('.problems li').allInnerTexts()).toEqual([
      'pets/away/birds/dot.png is 1 pixel wide and 1 high, smaller than 16 x 16',
      'pets/away/birds/flat.png is 8000 pixels wide and 10 high, smaller than 16 x 16',
      'pets/home/dogs/700.png is damaged, or of a kind that this browser does not read (image/png)',
    ]);

    await beginTraining(shared, { steps: 2 });
    await checkSeen(panel.getByText('Finished'), patient);
    await checkSeen(panel.getByText(/learn from 4,900 pictures, told labels \(3 classes\)/));
    expect(complaints).toEqual([]);
  });

  it('are taken once where they are dropped twice, and all that are new', long, async () => {
    await shared.page.reload();
    const panel = trainPanel(shared);
    const few = join(folder, 'few');
    await mkdir(join(few, 'cats'), { recursive: true });
    for (const name of ['a.png', 'b.png']) await writePicture(join(few, 'cats', name), 16, 16);
    await dropPictures(shared, [few], 2);
    await writePicture(join(few, 'cats/c.png'), 16, 16);
    await dropPictures(shared, [few], 3);
    await checkSeen(panel.getByText('2 of them are there already.'));
    const draw = panel.getByRole('button', { name: 'Draw discs and squares' });
    await draw.click();
    await checkSeen(panel.getByText(/^515 pictures of/));
    await draw.click();
    await checkSeen(panel.getByText('512 of them are there already.'));
    await checkSeen(panel.getByText(/^515 pictures of/));
    await panel.getByRole('button', { name: 'Remove all' }).click();
    await dropPictures(shared, [few], 3);
    expect(await panel.getByText('there already').count()).toBe(0);
  });
});
