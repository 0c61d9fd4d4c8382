// The page beside a training that goes on, and what becomes of it when the run or the server is gone.
import { appendFile, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder, startRectiflow } from '../support/cli.ts';
import {
  type WatchedPage,
  checkQuiet,
  checkSeen,
  noBrowser,
  shownDigits,
  watchedPage,
} from '../support/watched-page.ts';

const wait = { timeout: 60_000 };
const stepOf = (text: string): number => Number(/Step\s+([\d,]+)/.exec(text)?.[1]?.replace(',', '') ?? -1);

describe.skipIf(noBrowser)(`the page while a run trains (${noBrowser ?? 'in chromium'})`, () => {
  let watched: WatchedPage;
  let folder: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    watched = await watchedPage(join(folder, 'runs'));
    watched.page.setDefaultTimeout(60_000);
  }, 60_000);
  afterAll(async () => {
    await watched?.close();
  });

  it('says so where there are no runs yet', async () => {
    await checkSeen(watched.page.getByRole('heading', { name: 'No runs yet' }));
  });

  it('shows a run that begins, its steps, curves and samples as they come, pauses it, and shows its end', async () => {
    const { page } = watched;
    const settings = Object.entries({ ...shownDigits.train, steps: 120 }).map(
      ([name, value]) => `train.${name}=${value}`,
    );
    const sets = [
      ...settings,
      'model.width=32',
      'model.depth=1',
      'model.heads=2',
      'model.patchSize=7',
      'data.split=test',
      'sample.steps=2',
      'sample.perClass=1',
      'backend.name=reference',
    ].flatMap((set) => ['--set', set]);
    const training = startRectiflow(folder, ['train', 'digits', '--name', 'growing', ...sets]);
    await page.getByRole('link', { name: 'growing' }).click();
    const facts = page.locator('dl.facts');
    await expect.poll(async () => stepOf(await facts.innerText()), wait).toBeGreaterThan(0);
    const first = stepOf(await facts.innerText());
    await expect.poll(async () => stepOf(await facts.innerText()), wait).toBeGreaterThan(first);
    await page.getByRole('heading', { name: /^Samples of step/ }).waitFor();
    await page.getByRole('application', { name: /^Loss over step/ }).waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText(/^Paused after step \d+\.$/).waitFor();
    await page.getByText('paused', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('training', { exact: true }).waitFor();
    expect((await training.finished).code).toBe(0);
    await expect.poll(async () => stepOf(await facts.innerText()), wait).toBe(120);
    await page.getByText('finished', { exact: true }).waitFor();
    await page.getByRole('heading', { name: 'Samples of step 120' }).waitFor();
    checkQuiet(watched);
  }, 180_000);

  it('shows a run that has logged nothing yet, and its first record when it comes', async () => {
    const { page, go } = watched;
    const [from, to] = [join(folder, 'runs/growing'), join(folder, 'runs/new')];
    await mkdir(to);
    await copyFile(join(from, 'config.json'), join(to, 'config.json'));
    await go('/run/new');
    await checkSeen(page.getByText('Nothing was logged yet.'));
    const [line = ''] = (await readFile(join(from, 'metrics.jsonl'), 'utf8')).split('\n');
    await writeFile(join(to, 'metrics.jsonl'), `${line}\n`);
    await checkSeen(page.getByRole('application', { name: /^Loss over step/ }));
    const later = { ...(JSON.parse(line) as object), step: 9, heldOutLoss: 1.5 };
    await appendFile(join(to, 'metrics.jsonl'), `${JSON.stringify(later)}\n`);
    await checkSeen(page.getByRole('application', { name: /^Held-out loss over step/ }));
    checkQuiet(watched);
    await go('/run/growing');
    await checkSeen(page.getByRole('heading', { name: 'growing' }));
    await checkSeen(page.getByRole('heading', { name: 'Samples of step 120' }));
  });

  it('tells of a run that is deleted while it is shown', async () => {
    const { page } = watched;
    await rm(join(folder, 'runs/growing'), { recursive: true });
    await checkSeen(page.getByRole('alert').getByText(/This run is gone/));
    await checkSeen(page.getByRole('application', { name: /^Loss over step/ }));
  });

  it('tells when the server has ended', async () => {
    const { page, go, server } = watched;
    await go('/');
    await page.getByRole('heading', { name: 'Runs', exact: true }).waitFor();
    await server.close();
    await checkSeen(page.getByRole('alert').getByText('Is rectiflow watch still running?'));
  });
});
