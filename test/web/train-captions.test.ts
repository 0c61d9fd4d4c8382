// A shared model of captions, trained further in the tab, in a browser without a GPU.
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sample } from '../../src/api/sample.ts';
import { resume } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { readRun } from '../../src/runs/run-folder.ts';
import { axeFindings } from '../support/axe.ts';
import { writeClassPictures } from '../support/class-pictures.ts';
import { temporaryFolder } from '../support/cli.ts';
import { type SharedPage, sharedPage } from '../support/shared-page.ts';
import { beginTraining, captionsPage, dropPictures, trainPanel } from '../support/train-panel.ts';
import { checkSeen, noBrowser } from '../support/watched-page.ts';
import { writeZip } from '../support/write-zip.ts';

const backend = referenceBackend();
const long = { timeout: 240_000 };
const patient = { timeout: 30_000 };

describe.skipIf(noBrowser)(`captions for a training in the tab (${noBrowser ?? 'in chromium'})`, () => {
  let folder: string;
  let site: string;
  let pictures: string;
  const open: SharedPage[] = [];

  beforeAll(async () => {
    folder = await temporaryFolder();
    site = await captionsPage(folder, join(folder, 'site'));
    pictures = await writeFoxes(join(folder, 'wild'));
  }, 120_000);
  afterAll(async () => {
    await Promise.all(open.map((each) => each.close()));
  });

  /** Six pictures: three with text files, of which one is too long and one is no UTF-8; two that are called something; one that is not. */
  async function writeFoxes(to: string): Promise<string> {
    await writeClassPictures(to, ['animals'], 6, [8, 12]);
    const at = (name: string): string => join(to, 'animals', name);
    await writeFile(at('0.txt'), 'a grey fox\n');
    await writeFile(at('1.txt'), 'an animal that nobody has ever seen in daylight, nor by night');
    await writeFile(at('2.txt'), Uint8Array.of(0x66, 0xfc, 0x78));
    await rename(at('3.png'), at('red-fox_02.png'));
    await rename(at('4.png'), at('grey owl.png'));
    await writeFile(at('lost.txt'), 'a wolf');
    await writeFile(at('empty.caption'), ' \n');
    return to;
  }

  async function opened(options: Parameters<typeof sharedPage>[1] = {}): Promise<SharedPage> {
    const shared = await sharedPage(site, options);
    open.push(shared);
    return shared;
  }

  it('says where captions are from, what is cut, and what has none', long, async () => {
    const shared = await opened({ bypassCSP: true });
    const panel = trainPanel(shared);
    await checkSeen(shared.page.getByText('Made in'), patient);
    await dropPictures(shared, [pictures], 0);
    await checkSeen(panel.getByText('2 files of captions are not used: the model is told none.'));
    await panel.getByLabel('the shared model, further').check();
    await checkSeen(panel.getByText(/^6 pictures of 12 x 8, grey/), patient);
    expect(await panel.locator('.problems li').allInnerTexts()).toEqual([
      'wild/animals/2.txt is no text in UTF-8. Save it as UTF-8.',
      'wild/animals/empty.caption holds no caption',
      'wild/animals/lost.txt is text, and no picture beside it has its name',
    ]);
    const captions = panel.getByRole('group', { name: 'Captions' });
    const status = captions.getByRole('status');
    await checkSeen(status.getByText('4 of 6 pictures have a caption.'));
    await checkSeen(status.getByText('1 is longer than the 12 tokens that the model is told, and cut.'));
    const from = (): Promise<string[]> => captions.locator('.from li').allInnerTexts();
    expect(await from()).toEqual(['2 by text files: a grey fox, ...', '2 by names of files: grey owl, ...']);
    expect(await captions.locator('.without li').allInnerTexts()).toEqual([
      'wild/animals/2.png',
      'wild/animals/5.png',
    ]);
    await captions.getByLabel('Pictures without a caption are called').selectOption('none');
    await checkSeen(status.getByText('2 of 6 pictures have a caption.'));
    await captions.getByLabel('Pictures without a caption are called').selectOption('folder');
    await checkSeen(status.getByText('6 of 6 pictures have a caption.'));
    await captions.getByText('Or as you say, folder by folder').click();
    await captions.getByLabel('animals').fill('a beast');
    await captions.getByLabel('animals').press('Tab');
    await expect.poll(from).toContain('4 by what is said of folders: a beast, ...');
    expect(await axeFindings(shared.page)).toEqual([]);
    expect(shared.complaints).toEqual([]);
  });

  it(
    'trains, goes on after a reload, makes samples, and is gone on with by the command line',
    long,
    async () => {
      const shared = await opened();
      const { page, complaints } = shared;
      const panel = trainPanel(shared);
      await checkSeen(page.getByText('Made in'), patient);
      await dropPictures(shared, [pictures], 0);
      await panel.getByLabel('the shared model, further').check();
      await checkSeen(panel.getByText('4 of 6 pictures have a caption.'), patient);
      await beginTraining(shared, { steps: 1000, every: 5 });
      await checkSeen(panel.getByText('told captions'), patient);
      await checkSeen(panel.getByRole('img', { name: /Samples of the model at step \d+/ }), patient);
      await checkSeen(panel.getByText('Rows: a grey fox, '));
      await panel.getByRole('button', { name: 'Stop' }).click();
      await checkSeen(panel.getByText('Stopped', { exact: true }), patient);
      await page.reload();
      await panel.getByRole('button', { name: 'Open my-pictures' }).click();
      await checkSeen(panel.getByText(/step \d+ of 1,000/).last(), patient);
      await panel.getByRole('button', { name: 'Go on to step 1,000' }).click();
      await checkSeen(panel.getByText('Training', { exact: true }), patient);
      await panel.getByRole('button', { name: 'Stop' }).click();
      await checkSeen(panel.getByText('Stopped', { exact: true }), patient);

      expect(await panel.getByRole('button', { name: 'Download it' }).isDisabled()).toBe(true);
      await checkSeen(panel.getByText('reads no weights of models of captions'));
      const download = page.waitForEvent('download');
      await panel.getByRole('button', { name: 'Download the run' }).click();
      const unzipped = await writeZip(await (await download).path(), join(folder, 'unzipped'));
      const run = join(unzipped, 'my-pictures');
      const notices: string[] = [];
      await resume(run, { onNotice: (text) => notices.push(text) });
      expect(notices.filter((text) => /caption|the set |not those/.test(text))).toEqual([]);
      const { config } = await readRun(run);
      expect(config).toMatchObject({ data: { inRun: true, captions: 'data/captions.jsonl' } });
      const { records } = await readMetrics(join(run, 'metrics.jsonl'));
      expect(records.map(({ step }) => step)).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1));
      const { values } = await sample(run, { prompts: ['a red fox'], count: 1, steps: 2, backend });
      expect(values.every((value) => Number.isFinite(value))).toBe(true);

      await panel.getByRole('button', { name: 'Make samples with the model' }).click();
      await checkSeen(page.getByRole('button', { name: /^Yours, of step/, pressed: true }));
      await checkSeen(page.getByText('Made in'), patient);
      const prompt = page.getByRole('form', { name: 'What to make' }).getByLabel('Caption');
      expect(await prompt.inputValue()).toBe('a grey fox');
      expect(complaints).toEqual([]);
    },
  );

  it('keeps its tokenizer also where the page is given no storage', long, async () => {
    const shared = await opened();
    const { page } = shared;
    const panel = trainPanel(shared);
    await page.context().route('**/trainer-worker-*.js', async (route) => {
      const response = await route.fetch();
      // As on a page of http:.
      const body = `Object.defineProperty(crypto, 'subtle', { value: undefined });\n${await response.text()}`;
      await route.fulfill({ response, body });
    });
    await page.reload();
    await dropPictures(shared, [pictures], 0);
    await panel.getByLabel('the shared model, further').check();
    await checkSeen(panel.getByText('4 of 6 pictures have a caption.'), patient);
    await beginTraining(shared, { steps: 500, every: 5 });
    await checkSeen(panel.getByRole('img', { name: /Samples of the model at step \d+/ }), patient);
    await panel.getByRole('button', { name: 'Stop' }).click();
    await checkSeen(panel.getByText('Stopped', { exact: true }), patient);
    await panel.getByRole('button', { name: 'Go on to step 500' }).click();
    await checkSeen(panel.getByText('Training', { exact: true }), patient);
    await panel.getByRole('button', { name: 'Stop' }).click();
    await checkSeen(panel.getByText('Stopped', { exact: true }), patient);
    expect(await panel.getByRole('button', { name: 'Download the run' }).count()).toBe(0);
    await panel.getByRole('button', { name: 'Make samples with the model' }).click();
    await checkSeen(page.getByRole('button', { name: /^Yours, of step/, pressed: true }));
    await checkSeen(page.getByText('Made in'), patient);
  });
});
