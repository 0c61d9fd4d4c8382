// What computes on the page of a shared model: chosen by itself, by the visitor, and taken away.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { losableGpus, swiftShader } from '../support/losable-gpus.ts';
import { type SharedPage, sharedPage } from '../support/shared-page.ts';
import {
  beginTraining,
  downloadedModel,
  dropPictures,
  stripesPageAndPictures,
  trainPanel,
} from '../support/train-panel.ts';
import { checkSeen, noBrowser } from '../support/watched-page.ts';

const long = { timeout: 480_000 };
const patient = { timeout: 240_000 };

describe.skipIf(noBrowser)(`the device of a shared page (${noBrowser ?? 'in chromium'})`, () => {
  let site: string;
  let pictures: string;
  const open: SharedPage[] = [];

  beforeAll(async () => {
    ({ site, pictures } = await stripesPageAndPictures());
  }, 120_000);
  afterAll(async () => {
    await Promise.all(open.map((each) => each.close()));
  });

  async function opened(flags: readonly string[], device?: string): Promise<SharedPage> {
    const shared = await sharedPage(site, {}, flags);
    open.push(shared);
    if (device) await shared.page.goto(`${shared.page.url()}?device=${device}`);
    return shared;
  }

  const isMade = ({ page }: SharedPage): Promise<void> => checkSeen(page.getByText('Made in'), patient);
  const inkOf = ({ page }: SharedPage): Promise<string> =>
    page
      .locator('canvas')
      .first()
      .evaluate((canvas) => (canvas as unknown as { toDataURL(): string }).toDataURL());

  /** The panel that trains, with pictures, on a GPU that can be lost. */
  async function onLosableGpu(): Promise<{
    readonly shared: SharedPage;
    readonly page: SharedPage['page'];
    readonly panel: ReturnType<typeof trainPanel>;
    readonly lose: Awaited<ReturnType<typeof losableGpus>>;
  }> {
    const shared = await opened(swiftShader);
    const { page } = shared;
    const lose = await losableGpus(page);
    await page.goto(`${page.url()}?device=webgpu`);
    await dropPictures(shared, [pictures], 12);
    return { shared, page, panel: trainPanel(shared), lose };
  }

  it('is WebAssembly where WebGPU finds a program only, and another one by choice', long, async () => {
    const shared = await opened(swiftShader);
    const { page, complaints } = shared;
    await isMade(shared);
    await checkSeen(
      page.getByText(/by WebAssembly, because what WebGPU finds \(.*swiftshader.*\) is a slower program/i),
    );
    const select = page.getByLabel('Computed by');
    const labels = await select.locator('option').allInnerTexts();
    expect(labels).toEqual([
      'the fastest there is',
      expect.stringMatching(/^WebGPU \(.*swiftshader.*\)$/i),
      'WebAssembly',
      'the interpreter, slow',
    ]);
    await select.focus();
    await page.keyboard.press('ArrowDown');
    await checkSeen(page.getByText(/swiftshader.*, by WebGPU, as you chose/i), patient);
    expect(new URL(page.url()).search).toBe('?device=webgpu');
    await page.getByRole('button', { name: 'Make samples', exact: true }).click();
    await isMade(shared);
    await page.reload();
    await checkSeen(page.getByText(/by WebGPU, as you chose/), patient);
    expect(await select.inputValue()).toBe('webgpu');
    await select.selectOption('the interpreter, slow');
    await checkSeen(page.getByText('by the interpreter, as you chose'), patient);
    await select.selectOption('the fastest there is');
    await checkSeen(page.getByText(/by WebAssembly, because/), patient);
    expect(new URL(page.url()).search).toBe('');
    expect(complaints).toEqual([]);
  });

  it('says where what the address asks for is unknown, or not there', long, async () => {
    const shared = await opened([], 'tpu');
    const { page } = shared;
    await checkSeen(
      page.getByRole('alert').getByText('asks for the device tpu, and there are webgpu, wasm, interpreter'),
    );
    await checkSeen(page.getByText(/by WebAssembly, because/), patient);
    await page.goto(page.url().replace('tpu', 'webgpu'));
    await checkSeen(page.getByText(/by WebAssembly, because .*WebGPU/), patient);
    await isMade(shared);
    const choice = page.getByLabel('Computed by').locator('option:checked');
    expect(await choice.innerText()).toBe('WebGPU (none here)');
  });

  it(
    'is opened again where it is lost, and the samples are those that they would have been',
    long,
    async () => {
      const shared = await opened(swiftShader);
      const { page } = shared;
      const lose = await losableGpus(page);
      await page.goto(`${page.url()}?device=webgpu`);
      await isMade(shared);
      const form = page.getByRole('form', { name: 'What to make' });
      const make = form.getByRole('button', { name: 'Make samples', exact: true });
      await form.getByLabel('Steps').fill('100');
      await make.click();
      await checkSeen(page.getByText(/^Step [1-9]\d* of 100/), patient);
      await isMade(shared);
      const wanted = await inkOf(shared);
      await make.click();
      await checkSeen(page.getByText(/^Step [1-9]\d* of 100/), patient);
      await lose('samples');
      const told = page.getByText(
        /the GPU was lost \(.*\)\. It is opened again, and the samples are made anew/,
      );
      await checkSeen(told, patient);
      await isMade(shared);
      expect(await inkOf(shared)).toBe(wanted);
      // And where nobody is waiting for it.
      await lose('samples');
      await make.click();
      await expect.poll(() => told.count(), patient).toBe(1);
      await isMade(shared);
      expect(await inkOf(shared)).toBe(wanted);
    },
  );

  it('is opened again for a training, which goes on from its last checkpoint', long, async () => {
    const { shared, panel, lose } = await onLosableGpu();
    await beginTraining(shared, { steps: 34 });
    await checkSeen(panel.getByText('Finished'), patient);
    const wanted = await downloadedModel(shared);
    await beginTraining(shared, { steps: 34 });
    await checkSeen(panel.getByText(/step 2[1-9] of 34/), patient);
    await lose('training');
    // In sight, and not only among all notices.
    const told = panel.getByRole('status').getByText(/the GPU was lost .* training goes on after step 20\./);
    await checkSeen(told, patient);
    await checkSeen(panel.getByText('Finished'), patient);
    await checkSeen(panel.getByText('step 34 of 34', { exact: true }));
    expect((await downloadedModel(shared)).equals(wanted)).toBe(true);
  });

  it('is given up where it is lost ever again, and one click goes on from what is kept', long, async () => {
    const { shared, page, panel, lose } = await onLosableGpu();
    await beginTraining(shared, { steps: 60 });
    await checkSeen(panel.getByText(/step 2[1-9] of 60/), patient);
    const failed = panel.getByText('Failed', { exact: true });
    const losing = async (): Promise<number> => {
      await lose('training');
      return failed.count();
    };
    await expect.poll(losing, { ...patient, interval: 500 }).toBe(1);
    await checkSeen(panel.getByRole('alert').getByText(/the GPU was lost/));
    await page.getByLabel('Computed by').selectOption('WebAssembly');
    await panel.getByRole('button', { name: 'Go on to step 60' }).click();
    await checkSeen(panel.getByText('Finished'), patient);
    await checkSeen(panel.getByText(/Computed by\s+WebAssembly, as you chose/));
    await checkSeen(panel.getByText('step 60 of 60', { exact: true }));
  });
});
