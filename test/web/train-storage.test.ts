// What a training in the tab has left when the tab ends, and when the browser has no more room.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SharedPage, sharedPage } from '../support/shared-page.ts';
import {
  beginTraining,
  downloadedModel,
  dropPictures,
  stripesPageAndPictures,
  trainPanel,
} from '../support/train-panel.ts';
import { checkSeen, noBrowser } from '../support/watched-page.ts';

const long = { timeout: 360_000 };
const patient = { timeout: 180_000 };

describe.skipIf(noBrowser)(`what is left of a training in the tab (${noBrowser ?? 'in chromium'})`, () => {
  let site: string;
  let pictures: string;
  const open: SharedPage[] = [];

  beforeAll(async () => {
    ({ site, pictures } = await stripesPageAndPictures());
  }, 120_000);
  afterAll(async () => {
    await Promise.all(open.map((each) => each.close()));
  });

  async function opened(): Promise<SharedPage> {
    const shared = await sharedPage(site);
    open.push(shared);
    return shared;
  }

  it('of a tab that was closed: the same weights, to the bit, as if it had stayed open', long, async () => {
    const first = await opened();
    const { page } = first;
    await dropPictures(first, [pictures], 12);
    await beginTraining(first, { steps: 200, every: 200 });
    await checkSeen(trainPanel(first).getByText('Finished'), patient);
    const wanted = await downloadedModel(first);
    await beginTraining(first, { steps: 200, every: 200 });
    await checkSeen(trainPanel(first).getByRole('button', { name: /with the model of step [24]0/ }), patient);
    await checkSeen(trainPanel(first).getByText('Training', { exact: true }));
    const again = await page.context().newPage();
    await page.close();
    await again.goto(page.url());
    const second = { ...first, page: again };
    const panel = trainPanel(second);
    await panel.getByRole('button', { name: 'Open my-pictures-2' }).click();
    const stopped = panel.getByText(/^step \d+ of 200$/);
    await checkSeen(stopped);
    expect(Number(/\d+/.exec(await stopped.innerText())![0])).toBeLessThan(200);
    await panel.getByRole('button', { name: 'Go on to step 200' }).click();
    await checkSeen(panel.getByText('Finished'), patient);
    expect((await downloadedModel(second)).equals(wanted)).toBe(true);
  });

  describe('where the browser has no more room', () => {
    async function filled(steps: number): Promise<{
      readonly shared: SharedPage;
      readonly free: () => Promise<void>;
    }> {
      const shared = await opened();
      const { page } = shared;
      const session = await page.context().newCDPSession(page);
      const { origin } = new URL(page.url());
      const panel = trainPanel(shared);
      await dropPictures(shared, [pictures], 12);
      await beginTraining(shared, { steps, every: steps });
      await checkSeen(panel.getByRole('button', { name: /with the model of step \d+/ }), patient);
      await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1000 });
      const alert = panel.getByRole('alert');
      await checkSeen(
        alert.getByText(
          /the checkpoint cannot be saved: the browser has no room .* earlier ones, up to step-\d+, are untouched/,
        ),
        patient,
      );
      await checkSeen(panel.getByRole('button', { name: 'Save it again' }));
      return {
        shared,
        free: async () => void (await session.send('Storage.overrideQuotaForOrigin', { origin })),
      };
    }

    it('a checkpoint waits in memory, and is saved when there is', long, async () => {
      const { shared, free } = await filled(100);
      const panel = trainPanel(shared);
      const again = panel.getByRole('button', { name: 'Save it again' });
      await again.click();
      await checkSeen(again, patient);
      await free();
      await again.click();
      await checkSeen(panel.getByText('Finished'), patient);
      await checkSeen(panel.getByRole('button', { name: 'with the model of step 100' }));
      expect(await again.count()).toBe(0);
      await shared.page.reload();
      await panel.getByRole('button', { name: 'Open my-pictures' }).click();
      await checkSeen(panel.getByText('step 100 of 100', { exact: true }));
    });

    it('training can go on without it, and what was saved before is whole', long, async () => {
      const { shared, free } = await filled(100);
      const panel = trainPanel(shared);
      const without = panel.getByRole('button', { name: 'Go on without it' });
      const failed = panel.getByText('Failed', { exact: true });
      while ((await failed.count()) === 0) {
        await checkSeen(without.or(failed), patient);
        if ((await failed.count()) === 0) await without.click();
      }
      await checkSeen(panel.getByRole('alert').getByText(/step-0000100: the checkpoint cannot be saved/));
      await free();
      await shared.page.reload();
      await panel.getByRole('button', { name: 'Open my-pictures' }).click();
      const kept = panel.getByText(/^step \d+ of 100$/);
      await checkSeen(kept);
      expect(Number(/\d+/.exec(await kept.innerText())![0]) % 20).toBe(0);
      await panel.getByRole('button', { name: 'Go on to step 100' }).click();
      await checkSeen(panel.getByText('Finished'), patient);
    });
  });
});
