// A shared model in a browser without a GPU: what its page makes, and what can be done in it.
import { cp, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sample } from '../../src/api/sample.ts';
import { shareRun } from '../../src/api/share/run.ts';
import { train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { axeFindings } from '../support/axe.ts';
import { temporaryFolder } from '../support/cli.ts';
import { type SharedPage, sharedPage } from '../support/shared-page.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';
import { checkSeen, noBrowser } from '../support/watched-page.ts';

const title = '<img src=x onerror=hit()>';
const backend = referenceBackend();

describe.skipIf(noBrowser)(`the page of a shared model (${noBrowser ?? 'in chromium'})`, () => {
  let folder: string;
  let site: string;
  let run: string;
  const open: SharedPage[] = [];

  beforeAll(async () => {
    folder = await temporaryFolder();
    const source = { ...stripes(), classNames: ['thin', '<b>wide</b>', 'none'] };
    const options = { runs: folder, source, backend };
    const changes = { optimizer: { learningRate: 1e-2 }, sample: { steps: 4, perClass: 2 } };
    run = (await train({ ...tinyStripes, ...changes }, options)).run;
    const license = join(folder, 'terms.txt');
    await writeFile(license, 'Anything goes.');
    site = (await shareRun(run, { to: join(folder, 'site'), numbers: 'float32', title, license, backend }))
      .folder;
  }, 120_000);
  afterAll(async () => {
    await Promise.all(open.map((each) => each.close()));
  });

  async function opened(options: Parameters<typeof sharedPage>[1] = {}, of = site): Promise<SharedPage> {
    const shared = await sharedPage(of, options);
    open.push(shared);
    return shared;
  }

  const isMade = async ({ page }: SharedPage): Promise<void> => page.getByText('Made in').waitFor();
  const inkOf = ({ page }: SharedPage): Promise<string> =>
    page
      .locator('canvas')
      .first()
      .evaluate((canvas) => (canvas as unknown as { toDataURL(): string }).toDataURL());

  it('makes samples as soon as it is there, and says by what', { timeout: 60_000 }, async () => {
    const shared = await opened();
    await isMade(shared);
    const { page, complaints } = shared;
    await page.getByRole('heading', { level: 1, name: title }).waitFor();
    await page.getByText(/by WebAssembly, because .*WebGPU/).waitFor();
    await expect.poll(() => page.locator('canvas').first().getAttribute('data-index')).toBe('4');
    const link = page.getByRole('link', { name: 'LICENSE.txt' });
    expect(
      await (await page.request.get(new URL((await link.getAttribute('href'))!, page.url()).href)).text(),
    ).toBe('Anything goes.');
    await expect
      .poll(() => page.getByLabel('Class').locator('option').allInnerTexts())
      .toEqual(['any', 'thin', '<b>wide</b>', 'none']);
    expect(complaints).toEqual([]);
  });

  it('makes the numbers that Node.js makes', { timeout: 60_000 }, async () => {
    const { page } = await opened();
    const worker = (await readdir(join(site, 'assets'))).find((name) => /^worker-.*\.js$/.test(name))!;
    const request = { label: 2, prompt: null, count: 3, seed: 5, steps: 4, sampler: 'euler', guidance: 2 };
    const made = await page.evaluate<number[]>(`new Promise((resolve, reject) => {
      const worker = new Worker('assets/${worker}', { type: 'module' });
      let last;
      worker.addEventListener('message', ({ data }) => {
        if (data.kind === 'ready') worker.postMessage({ kind: 'make', id: 1, request: ${JSON.stringify(request)} });
        if (data.kind === 'frame') last = [...data.frame.x];
        if (data.kind === 'done') resolve(last);
        if (data.kind === 'failed') reject(new Error(data.message));
      });
      worker.postMessage({ kind: 'open', from: document.baseURI });
    })`);
    const { values } = await sample(run, { backend, labels: [2], count: 3, seed: 5, steps: 4, guidance: 2 });
    const furthest = made.reduce((most, value, i) => Math.max(most, Math.abs(value - values[i]!)), 0);
    expect(made.length).toBe(values.length);
    expect(furthest).toBeLessThan(1e-3);
  });

  it(
    'falls back on the interpreter where WebAssembly has no SIMD, and says why',
    { timeout: 60_000 },
    async () => {
      const to = join(folder, 'without');
      await cp(site, to, { recursive: true });
      const assets = await readdir(join(to, 'assets'));
      const worker = join(
        to,
        'assets',
        assets.find((name) => /^worker-.*\.js$/.test(name))!,
      );
      await writeFile(worker, `WebAssembly.validate = () => false;\n${await readFile(worker, 'utf8')}`);
      const shared = await opened({}, to);
      await isMade(shared);
      const { page, complaints } = shared;
      await page.getByText(/by the interpreter, because .*WebGPU.*, and .*WebAssembly has no SIMD/).waitFor();
      expect(complaints).toEqual([]);
    },
  );

  it(
    'goes along the way from noise, and goes on from there as another class',
    { timeout: 60_000 },
    async () => {
      const shared = await opened();
      await isMade(shared);
      const { page } = shared;
      const last = await inkOf(shared);
      const time = page.getByLabel('Time, from noise to data');
      await time.focus();
      await page.keyboard.press('Home');
      const canvas = page.locator('canvas').first();
      await expect.poll(() => canvas.getAttribute('data-index')).toBe('0');
      const noise = await inkOf(shared);
      expect(noise).not.toBe(last);
      await page.getByRole('button', { name: 'Velocity' }).click();
      await expect.poll(() => inkOf(shared)).not.toBe(noise);
      await page.getByRole('button', { name: 'Samples', exact: true }).click();
      const goOn = page.getByRole('button', { name: 'Go on from here' });
      await expect.poll(() => goOn.isDisabled()).toBe(true);
      await time.focus();
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('ArrowRight');
      await expect.poll(() => canvas.getAttribute('data-index')).toBe('2');
      await page.getByLabel('Class').selectOption({ label: 'none' });
      await goOn.click();
      await expect.poll(() => canvas.getAttribute('data-index')).toBe('4');
      await isMade(shared);
      await expect.poll(() => inkOf(shared)).not.toBe(last);
      await time.focus();
      await page.keyboard.press('Home');
      await expect.poll(() => inkOf(shared)).toBe(noise);
    },
  );

  it('compares samplers at as many evaluations each', { timeout: 60_000 }, async () => {
    const shared = await opened();
    await isMade(shared);
    const { page } = shared;
    await page.getByLabel('Evaluations').selectOption('4');
    await page.getByRole('button', { name: 'Compare' }).click();
    const films = page.getByRole('region', { name: 'Samplers' }).getByRole('listitem');
    await expect.poll(() => films.getByText(/in [\d.]+ m?s/).count(), { timeout: 30_000 }).toBe(5);
    const told = (await films.allInnerTexts()).map((text) =>
      /(\S+), (\d+) steps/.exec(text)!.slice(1).join(' '),
    );
    expect(told).toEqual(['euler 4', 'heun 2', 'midpoint 2', 'rk4 1', 'euler-maruyama 4']);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`has no finding of axe, ${colorScheme}, and fits on a phone`, { timeout: 60_000 }, async () => {
      const viewport = { width: 360, height: 740 };
      const shared = await opened({ colorScheme, viewport, bypassCSP: true });
      await isMade(shared);
      const { page } = shared;
      expect(await axeFindings(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    });
  }

  it('says what is wrong with files that are not as they were', { timeout: 60_000 }, async () => {
    const to = join(folder, 'damaged');
    await shareRun(run, { to, numbers: 'float16', backend });
    const file = join(to, 'weights-1.bin');
    const bytes = await readFile(file);
    bytes[7]! ^= 255;
    await writeFile(file, bytes);
    const { page } = await opened({}, to);
    await checkSeen(page.getByRole('alert').getByText(/weights-1\.bin: has SHA-256/));
  });
});
