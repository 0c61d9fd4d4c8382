// How straight the paths of a run are, measured from its page.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { measureStraightness } from '../../src/api/straightness.ts';
import { train } from '../../src/api/train.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';
import { type WatchedPage, checkQuiet, checkSeen, noBrowser, watchedPage } from '../support/watched-page.ts';

describe.skipIf(noBrowser)(`the straightness of a run (${noBrowser ?? 'in chromium'})`, () => {
  let watched: WatchedPage;
  let runs: string;
  let run: string;

  beforeAll(async () => {
    runs = join(await temporaryFolder(), 'runs');
    const sample = { steps: 2, perClass: 1 };
    const steps = { ...tinyStripes.train, steps: 4 };
    run = (await train({ ...tinyStripes, sample, train: steps }, { runs, source: stripes() })).run;
    await train(
      { ...tinyStripes, sample: {}, train: steps, flow: { objective: { kind: 'ddpm' } }, name: 'noise' },
      { runs, source: stripes() },
    );
    watched = await watchedPage(runs);
  }, 120_000);
  afterAll(async () => {
    await watched?.close();
  });

  it('is what the command line measures, with its place on the way', { timeout: 60_000 }, async () => {
    const { page } = watched;
    await watched.go('/run/stripes/samples');
    const panel = page.getByRole('region', { name: 'Straightness', exact: true });
    await panel.getByRole('button', { name: 'Measure it' }).click();
    await checkSeen(panel.getByText(/over 64 paths of step 4, 100 steps each/));
    const { relative } = await measureStraightness(run);
    const shown = Number(await panel.getByRole('strong').innerText());
    expect(shown).toBeCloseTo(relative, 2);
    await checkSeen(panel.getByRole('heading', { name: 'Off the straight line' }));
    checkQuiet(watched);
  });

  it('says why there is none of another objective', { timeout: 60_000 }, async () => {
    const { page } = watched;
    await watched.go('/run/noise/samples');
    const panel = page.getByRole('region', { name: 'Straightness', exact: true });
    await panel.getByRole('button', { name: 'Measure it' }).click();
    await checkSeen(panel.getByRole('alert').getByText(/ddpm|rectified/));
  });
});
