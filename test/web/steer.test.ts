// What the page asks a run that trains, and how it tells the answer. The answers are made up here: who trains and what it does with
// requests is tested where steering is.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunDetails, SteerRequest, SteeringEvent } from '../../src/page/contract.ts';
import {
  type WatchedPage,
  checkQuiet,
  noBrowser,
  trainedRuns,
  watchedPage,
} from '../support/watched-page.ts';

describe.skipIf(noBrowser)(`steering by the page (${noBrowser ?? 'in chromium'})`, () => {
  let watched: WatchedPage;
  const asked: SteerRequest[] = [];
  let refusal: string | undefined;

  beforeAll(async () => {
    watched = await watchedPage(await trainedRuns());
    const { page } = watched;
    page.setDefaultTimeout(20_000);
    await page.route('**/api/runs/digits', async (route) => {
      const response = await route.fetch();
      const details = (await response.json()) as RunDetails;
      await route.fulfill({ json: { ...details, summary: { ...details.summary, state: 'training' } } });
    });
    await page.route('**/api/runs/digits/live', (route) =>
      route.fulfill({ contentType: 'text/event-stream', body: ': nothing\n\n' }),
    );
    await page.route('**/api/runs/digits/steer', async (route) => {
      const request = route.request().postDataJSON() as SteerRequest;
      asked.push(request);
      const event: SteeringEvent = {
        id: String(asked.length),
        step: 24,
        time: new Date(0).toISOString(),
        ...request,
        outcome: refusal === undefined ? 'applied' : 'refused',
        ...(refusal === undefined ? {} : { sentence: refusal }),
      };
      await route.fulfill({ json: event });
    });
  }, 120_000);
  afterAll(async () => {
    await watched?.close();
  });

  it('pauses and saves at once, and stops when that is said twice', async () => {
    const { page, go } = watched;
    await go('/run/digits/steer');
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('Paused after step 24.').waitFor();
    await page.getByRole('button', { name: 'Save now' }).click();
    await page.getByText('Saved after step 24.').waitFor();
    await page.getByRole('button', { name: 'Stop…' }).click();
    expect(asked.map(({ kind }) => kind)).toEqual(['pause', 'save']);
    await page.getByRole('button', { name: 'Keep training' }).click();
    await page.getByRole('button', { name: 'Stop…' }).click();
    await page.getByRole('button', { name: 'Stop and save it' }).click();
    await page.getByText('Stops after step 24.').waitFor();
    expect(asked.at(-1)).toEqual({ kind: 'stop' });
    checkQuiet(watched);
  });

  it('changes settings, and tells a refusal', async () => {
    const { page } = watched;
    const rate = page.getByRole('textbox', { name: 'Learning rate, at its peak' });
    await rate.fill('5e-4');
    await page.getByRole('textbox', { name: 'Guidance of samples' }).fill('3');
    await page.getByRole('button', { name: 'Change' }).click();
    await page.getByText('It holds from step 25 on.').waitFor();
    expect(asked.at(-1)).toEqual({ kind: 'set', settings: { learningRate: 5e-4, sample: { guidance: 3 } } });
    await expect.poll(() => rate.inputValue()).toBe('');
    refusal = 'learningRate: wanted a number above 0, found <b>-1</b>.';
    await rate.fill('-1');
    await page.getByRole('button', { name: 'Change' }).click();
    await page.getByText(refusal).waitFor();
    await expect.poll(() => rate.inputValue()).toBe('-1');
    checkQuiet(watched);
  });
});
