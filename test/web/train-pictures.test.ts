// What visitors give a training in the tab: files that are none, names that do harm; and that whoever comes can give it.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { axeFindings } from '../support/axe.ts';
import { writeClassPictures } from '../support/class-pictures.ts';
import { temporaryFolder } from '../support/cli.ts';
import { payloads } from '../support/payloads.ts';
import { type SharedPage, sharedPage } from '../support/shared-page.ts';
import { beginTraining, dropPictures, stripesPage, trainPanel } from '../support/train-panel.ts';
import { checkSeen, noBrowser } from '../support/watched-page.ts';

const long = { timeout: 120_000 };

describe.skipIf(noBrowser)(`pictures for a training in the tab (${noBrowser ?? 'in chromium'})`, () => {
  let folder: string;
  let site: string;
  const open: SharedPage[] = [];

  beforeAll(async () => {
    folder = await temporaryFolder();
    site = await stripesPage(folder, join(folder, 'site'));
  }, 120_000);
  afterAll(async () => {
    await Promise.all(open.map((each) => each.close()));
  });

  async function opened(options: Parameters<typeof sharedPage>[1] = {}): Promise<SharedPage> {
    const shared = await sharedPage(site, options);
    open.push(shared);
    await shared.page.evaluate('window.hit = () => { window.wasHit = true; }');
    return shared;
  }

  it('names files that are damaged, no pictures or too small, and learns from the others', long, async () => {
    const mixed = join(folder, 'mixed');
    await writeClassPictures(mixed, ['good'], 2, [16, 20]);
    await writeClassPictures(mixed, ['small'], 1, [16, 15]);
    const whole = await readFile(join(mixed, 'good/0.png'));
    await writeFile(join(mixed, 'good/cut.png'), whole.subarray(0, whole.length - 40));
    await writeFile(join(mixed, 'good/notes.txt'), 'no picture');
    await writeFile(join(mixed, 'good/empty.jpg'), '');
    const shared = await opened();
    await dropPictures(shared, [mixed], 2);
    const panel = trainPanel(shared);
    await checkSeen(panel.getByText('4 left out'));
    await expect
      .poll(() => panel.locator('.problems li').allInnerTexts())
      .toEqual([
        'mixed/good/cut.png is damaged, or of a kind that this browser does not read (image/png)',
        'mixed/good/empty.jpg is empty',
        'mixed/small/0.png is 15 pixels wide and 16 high, smaller than 16 x 16',
        'mixed/good/notes.txt is text, and no picture beside it has its name',
      ]);
    await checkSeen(panel.getByText('the model is told no classes'));
    await panel.getByLabel('Size of pictures').selectOption('32');
    await checkSeen(panel.getByText(/^0 pictures of 32 x 32/));
    await expect
      .poll(() => panel.getByRole('button', { name: 'Train', exact: true }).isDisabled())
      .toBe(true);
    await panel.getByRole('button', { name: 'Remove all' }).click();
    await expect.poll(() => panel.getByRole('button', { name: 'Train', exact: true }).count()).toBe(0);
  });

  it('shows names of files and folders as text, whatever is in them', long, async () => {
    const shared = await opened();
    const { page, complaints } = shared;
    const panel = trainPanel(shared);
    await writeClassPictures(join(folder, 'any'), ['plain'], 1, [16, 16]);
    const good = await readFile(join(folder, 'any/plain/0.png'));
    const files = payloads.flatMap((name) => [
      { name, path: `${name}/1.png`, bytes: good.toString('base64') },
      { name, path: `${name}.txt`, bytes: '' },
    ]);
    // No file system has such names: an input is given files that tell them.
    await panel.locator('input[webkitdirectory]').evaluate((input, given) => {
      const { DataTransfer, File, Event } = globalThis as unknown as {
        DataTransfer: new () => { items: { add(file: object): void }; files: object };
        File: new (parts: object[], name: string, options: object) => object;
        Event: new (type: string, options: object) => object;
      };
      const data = new DataTransfer();
      const paths = new Map<string, string>();
      for (const [i, { path, bytes }] of given.entries()) {
        const values = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
        const file = new File([values], String(i), { type: 'image/png' });
        data.items.add(file);
        paths.set(String(i), path);
      }
      const element = input as unknown as {
        files: Iterable<{ name: string }>;
        dispatchEvent(event: object): void;
      };
      element.files = data.files as Iterable<{ name: string }>;
      for (const file of element.files)
        Object.defineProperty(file, 'webkitRelativePath', { value: paths.get(file.name) });
      element.dispatchEvent(new Event('change', { bubbles: true }));
    }, files);
    await checkSeen(panel.getByText(/^\d+ pictures of 16/));
    await checkSeen(panel.locator('.classes').getByText('<img src=x onerror=hit()>').first());
    await beginTraining(shared, { steps: 1 });
    await checkSeen(panel.getByText('Finished'), { timeout: 60_000 });
    await panel.getByText('All settings').first().click();
    const found = await page.evaluate(`({
      hit: window.wasHit === true || Object.prototype.x !== undefined,
      made: [...document.querySelectorAll('script:not([type=module]), iframe, object, embed, svg, math, form[action], base')].map((each) => each.outerHTML),
      images: [...document.images].map((each) => each.getAttribute('src')),
      handlers: [...document.querySelectorAll('*')].flatMap((each) => each.getAttributeNames()).filter((name) => name.startsWith('on')),
    })`);
    expect(found).toEqual({ hit: false, made: [], images: ['samples.png'], handlers: [] });
    expect(complaints).toEqual([]);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`works by keyboard, has no finding of axe, ${colorScheme}, and fits on a phone`, long, async () => {
      const viewport = { width: 360, height: 740 };
      const shared = await opened({ colorScheme, viewport, bypassCSP: true });
      const { page } = shared;
      const panel = trainPanel(shared);
      await panel.getByLabel('Choose pictures').focus();
      await page.keyboard.press('Tab');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await checkSeen(panel.getByText(/^512 pictures of/));
      await panel.getByLabel('Training steps').fill('2');
      await panel.getByLabel('Batch size').fill('2');
      await page.keyboard.press('Enter');
      await checkSeen(panel.getByText('Finished'), { timeout: 60_000 });
      expect(await axeFindings(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    });
  }
});
