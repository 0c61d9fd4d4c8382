// Runs whose files are damaged, half-written or missing: what is wrong is said where they are shown, and the rest is shown all the same.
import { cp, mkdir, readFile, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logLine, writeRun } from '../support/page.ts';
import {
  type WatchedPage,
  checkQuiet,
  checkSeen,
  noBrowser,
  trainedRuns,
  watchedPage,
} from '../support/watched-page.ts';

const wait = { timeout: 30_000 };
const unreadable = 'This picture cannot be shown: its file is damaged, or was not written to its end.';
const steps = [1, 2, 3, 4, 5, 6];

describe.skipIf(noBrowser)(`damaged runs (${noBrowser ?? 'in chromium'})`, () => {
  let watched: WatchedPage;
  let runs: string;

  beforeAll(async () => {
    runs = await trainedRuns();
    watched = await watchedPage(runs);
    watched.page.setDefaultTimeout(wait.timeout);
  }, 120_000);
  afterAll(async () => {
    await watched?.close();
  });

  /** A copy of the trained run. @returns its folder */
  async function copied(name: string): Promise<string> {
    const run = join(runs, name);
    await cp(join(runs, 'digits'), run, { recursive: true });
    return run;
  }

  async function cutInHalf(path: string): Promise<void> {
    const { length } = await readFile(path);
    await truncate(path, Math.floor(length / 2));
    // Long ago: nobody writes it any more.
    await utimes(path, 0, 0);
  }

  /** The row of a run in the table, which is shown. */
  async function rowOf(name: string): Promise<Locator> {
    const { page, go } = watched;
    await go('/');
    const row = page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
    await row.waitFor();
    return row;
  }

  async function checkRow(name: string, ...parts: readonly RegExp[]): Promise<void> {
    const row = await rowOf(name);
    for (const part of parts) await expect.poll(() => row.innerText(), wait).toMatch(part);
  }

  /** @throws where a sentence of the run's page does not come */
  async function checkTold(hash: string, sentence: string | RegExp): Promise<void> {
    await watched.go(hash);
    await checkSeen(watched.page.getByText(sentence).first());
  }

  /** The last step that the curve of the loss has. */
  async function checkCurve(step: number): Promise<void> {
    const { page } = watched;
    const loss = page.getByRole('application', { name: /^Loss over step/ });
    const last = async (): Promise<string> => {
      await loss.focus();
      await page.keyboard.press('End');
      return page.locator('figure').filter({ has: loss }).locator('.at').innerText();
    };
    await expect.poll(last, wait).toBe(`step ${step}`);
  }

  it('without a config that can be read say so; curves, samples and files stay', async () => {
    await cutInHalf(join(await copied('cut config'), 'config.json'));
    await rm(join(await copied('no config'), 'config.json'));
    for (const [name, problem] of [
      ['cut config', /config\.json.*Restore it from a backup/],
      ['no config', /config\.json: is missing\. Restore it from a backup/],
    ] as const) {
      await checkRow(name, /damaged/, problem, /\b24\b/);
      await checkTold(`/run/${encodeURIComponent(name)}`, problem);
      await checkCurve(24);
      await checkTold(`/run/${encodeURIComponent(name)}/settings`, 'config.json cannot be read.');
      await watched.go(`/run/${encodeURIComponent(name)}/samples`);
      const shown = watched.page.locator('canvas[role=img]');
      await expect.poll(() => shown.getAttribute('data-step'), wait).toBe('24');
    }
    checkQuiet(watched);
  });

  it('with settings and a machine of other types than they have are shown', async () => {
    const run = await copied('odd config');
    const config = { train: 'x', model: { kind: 'dit' }, flow: { objective: { kind: 'x' } }, sample: 7 };
    const odd = { version: '1', created: 5, machine: 'none', config };
    await writeFile(join(run, 'config.json'), JSON.stringify(odd));
    await checkRow('odd config', /stopped/, /\b24\b/);
    await checkTold('/run/odd%20config/settings', 'Begun on');
    await checkTold('/run/odd%20config/make', 'Make samples');
    await checkTold('/run/odd%20config/steer', 'What was asked');
    await checkTold('/run/odd%20config', /^No process trains it, after step 24/);
    await checkCurve(24);
    checkQuiet(watched);
  });

  const lines = steps.map((step) => `${logLine(step)}\n`);
  const garbage = Buffer.from([0, 255, 10, 0xc3, 0x28, 10, 1, 2, 10]);
  it.each([
    ['cut', Buffer.from(lines.join('').slice(0, -9)), 5, null],
    [
      'broken',
      Buffer.from([...lines.slice(0, 3), '{"step":3,"lo\n', ...lines.slice(3)].join('')),
      6,
      /1 line/,
    ],
    ['binary', Buffer.concat([Buffer.from(lines.join('')), garbage]), 6, /3 lines/],
    [
      'of other types',
      Buffer.from(`${lines.join('')}{"step":7,"loss":{"a":1},"epoch":"x","seconds":[]}\n{"step":"8"}\n`),
      6,
      /1 line/,
    ],
  ] as const)('whose log is %s are drawn by what is left of it', async (name, log, last, told) => {
    const run = await writeRun(runs, `log ${name}`);
    await writeFile(join(run, 'metrics.jsonl'), log);
    const hash = `/run/${encodeURIComponent(`log ${name}`)}`;
    await checkRow(`log ${name}`, /stopped/, new RegExp(`\\b${name === 'of other types' ? 7 : last}\\b`));
    await watched.go(hash);
    await checkCurve(last);
    const note = watched.page.getByText(/^metrics\.jsonl: .* cannot be read\.$/);
    if (told === null) await expect.poll(() => note.count()).toBe(0);
    else await expect.poll(() => note.innerText(), wait).toMatch(told);
    checkQuiet(watched);
  });

  it.each(['empty', 'missing'])('whose log is %s say that nothing was logged', async (name) => {
    const run = await writeRun(runs, `log ${name}`);
    if (name === 'empty') await writeFile(join(run, 'metrics.jsonl'), '');
    await checkRow(`log ${name}`, /stopped/, /\b0 of 10\b/);
    await checkTold(`/run/log%20${name}`, 'Nothing was logged yet.');
    checkQuiet(watched);
  });

  it('whose checkpoints are damaged say which, and what is wrong with each', async () => {
    const run = await copied('checkpoints');
    await rm(join(run, 'checkpoints/step-0000012/state.json'));
    await cutInHalf(join(run, 'checkpoints/step-0000024/model.safetensors'));
    const cut = /step-0000024.model\.safetensors: has \d+ bytes, \d+ were written/;
    await checkTold('/run/checkpoints', cut);
    await checkCurve(24);
    await watched.go('/run/checkpoints/files');
    const row = (step: number): Locator =>
      watched.page
        .getByRole('row')
        .filter({ has: watched.page.getByRole('cell', { name: `${step}`, exact: true }) });
    await expect.poll(() => row(24).innerText(), wait).toMatch(cut);
    await expect.poll(() => row(12).innerText(), wait).toMatch(/step-0000012.state\.json/);
    checkQuiet(watched);
  });

  it('whose pictures are empty or cut show the others', async () => {
    const { page, go } = watched;
    const run = await copied('pictures');
    const picture = (step: number): string => join(run, `samples/step-00000${step}.png`);
    await truncate(picture(12), 0);
    await utimes(picture(12), 0, 0);
    await cutInHalf(picture(24));
    const row = await rowOf('pictures');
    await expect.poll(() => row.locator('.thumbnail').textContent(), wait).toContain(unreadable);
    await checkTold('/run/pictures', unreadable);
    await checkCurve(24);
    await go('/run/pictures/samples');
    const shown = page.locator('canvas[role=img]');
    const alert = page.getByRole('alert').getByText(unreadable);
    await checkSeen(alert);
    const film = page.getByRole('region', { name: 'Samples through time' });
    await page.getByRole('slider', { name: 'Step of the picture' }).focus();
    for (const [key, step, isShown] of [
      ['ArrowLeft', 18, true],
      ['ArrowLeft', 12, false],
      ['ArrowLeft', 6, true],
      ['End', 24, false],
    ] as const) {
      await page.keyboard.press(key);
      await checkSeen(film.getByText(`step ${step}`, { exact: true }));
      await expect.poll(() => alert.count(), wait).toBe(isShown ? 0 : 1);
      await expect.poll(() => shown.isVisible(), wait).toBe(isShown);
      if (isShown) await expect.poll(() => shown.getAttribute('data-step'), wait).toBe(`${step}`);
    }
    await page.getByRole('button', { name: 'Play' }).click();
    await checkSeen(film.getByText('step 24', { exact: true }));
    await go('/compare?runs=digits&runs=pictures');
    await checkSeen(page.getByText(unreadable));
    await checkSeen(page.getByRole('img', { name: /^Samples of digits at step 24/ }));
    checkQuiet(watched);
  });

  it('whose bytes of a picture are damaged say so', async () => {
    const { page, go } = watched;
    const run = await copied('bytes');
    const path = join(run, 'samples/step-0000024.png');
    const bytes = await readFile(path);
    await writeFile(path, bytes.fill(7, 8, bytes.length - 12));
    await go('/run/bytes/samples');
    await checkSeen(page.getByRole('alert').getByText(unreadable));
    await checkTold('/run/bytes', unreadable);
    checkQuiet(watched);
  });

  it('whose notices, bad steps and events are of other types leave those out, and count them', async () => {
    const { page } = watched;
    const run = await copied('lines');
    await writeFile(
      join(run, 'notices.log'),
      Buffer.concat([Buffer.from('step 3: heard\nstep x: not\n'), garbage]),
    );
    await writeFile(join(run, 'bad-steps.jsonl'), '{"step":4,"loss":[],"finding":5}\n{"step":null}\n7\n');
    const event = { id: 'a', step: 5, time: 'never', kind: 'set', outcome: 'applied' };
    const events = [
      { ...event, settings: { sample: 5, logEvery: {} }, samples: 3, made: 'x' },
      event,
      { ...event, id: 'b', settings: null },
      { ...event, id: 'c', sentence: 9 },
      { ...event, id: 'd', step: '5' },
    ];
    await writeFile(join(run, 'events.jsonl'), events.map((each) => `${JSON.stringify(each)}\n`).join(''));
    await checkRow('lines', /finished/);
    await checkTold('/run/lines/notices', 'heard');
    await checkSeen(page.getByText('notices.log: 4 lines cannot be read.'));
    await checkSeen(page.getByText('bad-steps.jsonl: 2 lines cannot be read.'));
    await checkSeen(page.getByText('events.jsonl: 3 lines cannot be read.'));
    await checkSeen(page.getByRole('row').filter({ hasText: /^4\s*NaN/ }));
    await checkTold('/run/lines/steer', 'What was asked');
    await expect.poll(() => page.locator('tbody tr').count(), wait).toBe(1);
    await checkTold('/run/lines/make', 'Make samples');
    await checkTold('/run/lines', 'notices.log: 4 lines cannot be read.');
    await checkCurve(24);
    checkQuiet(watched);
  });

  it('are none where they are files; beside them the others are listed', async () => {
    const { page, go } = watched;
    await writeFile(join(runs, 'a file'), 'x');
    await mkdir(join(runs, 'a folder'));
    await rowOf('digits');
    for (const name of ['a file', 'a folder'])
      await expect.poll(() => page.getByRole('link', { name, exact: true }).count()).toBe(0);
    checkQuiet(watched);
    await go('/run/a%20file');
    await checkSeen(page.getByRole('alert').getByText('There is no run "a file"'));
    // The browser itself tells of a request for what is not there.
    await expect.poll(() => watched.complaints.length).toBe(1);
    expect(watched.complaints[0]).toMatch(/Failed to load resource: .* 404/);
  });

  it(
    'that are deleted while they are shown are gone, and come back when they are put back',
    { timeout: 120_000 },
    async () => {
      const { page, go } = watched;
      const seen = watched.complaints.length;
      const run = await copied('gone');
      await go('/run/gone');
      await checkCurve(24);
      await rename(run, join(runs, '../gone'));
      const alert = page.getByRole('alert').getByText(/^This run is gone/);
      await checkSeen(alert);
      await rename(join(runs, '../gone'), run);
      await expect.poll(() => alert.count(), wait).toBe(0);
      await writeFile(
        join(run, 'metrics.jsonl'),
        `${await readFile(join(run, 'metrics.jsonl'), 'utf8')}${logLine(25)}\n`,
      );
      await checkCurve(25);
      expect(watched.complaints.slice(seen)).toEqual([]);
    },
  );
});
