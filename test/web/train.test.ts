// Training in the tab, on the page of a shared model, in a browser without a GPU.
import { cp, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resume } from '../../src/api/train.ts';
import { importRun } from '../../src/api/import/run.ts';
import { sample } from '../../src/api/sample.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { arraySource } from '../../src/data/arrays.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { readRun } from '../../src/runs/run-folder.ts';
import { MemoryStore } from '../../src/train/memory-store.ts';
import type { StepMetrics } from '../../src/train/metrics.ts';
import { assembleTraining } from '../../src/train/prepare.ts';
import type { TrainingConfig } from '../../src/train/settings.ts';
import { Trainer } from '../../src/train/trainer.ts';
import { trainingData } from '../../src/train/training-data.ts';
import { writeZip } from '../support/write-zip.ts';
import { type ClassPictures, writeClassPictures } from '../support/class-pictures.ts';
import { temporaryFolder } from '../support/cli.ts';
import { dropFiles } from '../support/drop-files.ts';
import { swiftShader } from '../support/losable-gpus.ts';
import { type SharedPage, sharedPage } from '../support/shared-page.ts';
import { beginTraining, dropPictures, stripesPage, trainPanel } from '../support/train-panel.ts';
import { checkSeen, noBrowser } from '../support/watched-page.ts';

const backend = referenceBackend();
const long = { timeout: 120_000 };
const classes = ['low', 'up'];

describe.skipIf(noBrowser)(`training in the tab (${noBrowser ?? 'in chromium'})`, () => {
  let folder: string;
  let site: string;
  let pictures: string;
  let known: ClassPictures;
  const open: SharedPage[] = [];

  beforeAll(async () => {
    folder = await temporaryFolder();
    site = await stripesPage(folder, join(folder, 'site'));
    pictures = join(folder, 'pets');
    known = await writeClassPictures(pictures, classes, 6, [16, 16]);
  }, 120_000);
  afterAll(async () => {
    await Promise.all(open.map((each) => each.close()));
  });

  async function opened(
    options: Parameters<typeof sharedPage>[1] = {},
    of = site,
    flags: readonly string[] = [],
  ): Promise<SharedPage> {
    const shared = await sharedPage(of, options, flags);
    open.push(shared);
    return shared;
  }

  it('trains on pictures that are dropped, and makes samples with the model', long, async () => {
    const shared = await opened();
    const { page, complaints } = shared;
    await dropPictures(shared, [pictures], 12);
    const panel = trainPanel(shared);
    await expect.poll(() => panel.locator('.classes li').allInnerTexts()).toEqual(['low 6', 'up 6']);
    await checkSeen(panel.getByText(/A model of [\d,]+ parameters/));
    await beginTraining(shared, { steps: 20, every: 10 });
    await checkSeen(panel.getByText('Finished'), { timeout: 90_000 });
    await checkSeen(panel.getByText('step 20 of 20'));
    const canvas = panel.getByRole('img', { name: 'Samples of the model at step 20' });
    await checkSeen(canvas);
    await panel.getByLabel('Step of the picture').press('Home');
    await checkSeen(panel.getByRole('img', { name: 'Samples of the model at step 10' }));
    await panel.getByRole('button', { name: 'Make samples with the model of step 20' }).click();
    await checkSeen(page.getByRole('button', { name: 'Yours, of step 20', pressed: true }));
    await checkSeen(page.getByText('Made in'));
    const ofForm = page.getByRole('form', { name: 'What to make' }).getByLabel('Class');
    await expect.poll(() => ofForm.locator('option').allInnerTexts()).toEqual(['any', ...classes]);
    await page.getByRole('button', { name: 'The shared model' }).click();
    await expect
      .poll(() => ofForm.locator('option').allInnerTexts())
      .toEqual(['any', 'thin', 'wide', 'none']);
    expect(complaints).toEqual([]);
  });

  it('has the losses that the same training has in Node.js', long, async () => {
    const { page } = await opened();
    const asset = (await readdir(join(site, 'assets'))).find((name) => name.startsWith('trainer-worker-'))!;
    const files = await Promise.all(
      classes.flatMap((name) =>
        Array.from({ length: 6 }, async (_, i) => {
          const bytes = await readFile(join(pictures, name, `${i}.png`));
          return { path: `${name}/${i}.png`, folder: name, bytes: bytes.toString('base64') };
        }),
      ),
    );
    const settings = {
      begin: 'new',
      size: 'tiny',
      side: 16,
      channels: 3,
      batchSize: 4,
      learningRate: 3e-3,
      steps: 20,
      sampleEvery: 20,
      labels: [],
    };
    const told = await page.evaluate<{ config: TrainingConfig; losses: number[] }>(`(async () => {
      const given = ${JSON.stringify(files)}.map(({ path, folder, bytes }) => {
        const data = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
        return { path, folder, origin: { file: new File([data], path, { type: 'image/png' }) } };
      });
      const worker = new Worker('assets/${asset}', { type: 'module' });
      const losses = [];
      let config;
      return new Promise((resolve, reject) => {
        worker.addEventListener('message', ({ data }) => {
          if (data.kind === 'read') worker.postMessage({ kind: 'train', settings: ${JSON.stringify(settings)} });
          if (data.kind === 'started') config = data.config;
          if (data.kind === 'step') losses.push(data.metrics.loss);
          if (data.kind === 'ended') resolve({ config, losses });
          if (data.kind === 'failed') reject(new Error(data.message));
        });
        worker.postMessage({ kind: 'read', given, form: { size: [16, 16], channels: 3 } });
      });
    })()`);
    const wanted = await trainedInNode(told.config);
    expect(told.losses).toHaveLength(20);
    expect(told.losses).toEqual(wanted.map((loss) => expect.closeTo(loss, 3)));
    const mean = (losses: readonly number[]): number => losses.reduce((sum, loss) => sum + loss, 0) / 5;
    expect(mean(told.losses.slice(-5))).toBeLessThan(0.9 * mean(told.losses.slice(0, 5)));
  });

  async function trainedInNode(config: TrainingConfig): Promise<number[]> {
    const source = arraySource({ ...known, shape: [3, 16, 16], classNames: classes });
    const data = await trainingData({ config, source });
    const training = await assembleTraining({ config, backend, data });
    const losses: number[] = [];
    const observer = { onStep: ({ loss }: StepMetrics) => losses.push(loss) };
    const trainer = await Trainer.open(training, { store: new MemoryStore(), observer });
    await trainer.run();
    await training.dispose();
    return losses;
  }

  it('pauses, goes on, saves, stops, and goes on to the end after it was stopped', long, async () => {
    const shared = await opened();
    const { page } = shared;
    await dropPictures(shared, [pictures], 12);
    await beginTraining(shared, { steps: 300 });
    const panel = trainPanel(shared);
    const stepOf = async (): Promise<number> =>
      Number(/step (\d+) of/.exec(await panel.innerText())?.[1] ?? 0);
    await checkSeen(panel.getByText(/step \d+ of 300/));
    await panel.getByRole('button', { name: 'Pause' }).click();
    await checkSeen(panel.getByText('Paused', { exact: true }));
    const paused = await stepOf();
    // Time for many steps.
    await page.waitForTimeout(1000);
    expect(await stepOf()).toBe(paused);
    expect(paused).toBeLessThan(300);
    await panel.getByRole('button', { name: 'Go on', exact: true }).click();
    await checkSeen(panel.getByText('Training', { exact: true }));
    await panel.getByRole('button', { name: 'Save now' }).click();
    await checkSeen(panel.getByRole('button', { name: /Make samples with the model of step \d+/ }));
    await panel.getByRole('button', { name: 'Stop' }).click();
    await checkSeen(panel.getByText('Stopped', { exact: true }));
    const stopped = await stepOf();
    expect(stopped).toBeGreaterThanOrEqual(paused);
    expect(stopped).toBeLessThan(300);
    await panel.getByRole('button', { name: 'Go on to step 300' }).click();
    await checkSeen(panel.getByText('Finished'), { timeout: 60_000 });
    await expect.poll(() => stepOf()).toBe(300);
  });

  it('is kept by the browser, and goes on there, and by the command line', { timeout: 180_000 }, async () => {
    const shared = await opened();
    const { page } = shared;
    const panel = trainPanel(shared);
    await dropPictures(shared, [pictures], 12);
    await beginTraining(shared, { steps: 1000, every: 5 });
    await checkSeen(panel.getByRole('img', { name: /Samples of the model at step \d+/ }));
    await panel.getByRole('button', { name: 'Stop' }).click();
    await checkSeen(panel.getByText('Stopped', { exact: true }));
    await page.reload();
    await checkSeen(panel.getByText('Kept in this browser (1)'));
    await panel.getByRole('button', { name: 'Open my-pictures' }).click();
    await checkSeen(panel.getByText(/step \d+ of 1,000/).last());
    await checkSeen(panel.getByRole('img', { name: /Samples of the model at step \d+/ }));
    const download = page.waitForEvent('download');
    await panel.getByRole('button', { name: 'Download the run' }).click();
    const unzipped = await writeZip(await (await download).path(), join(folder, 'unzipped'));
    const { record, steps } = await resumed(join(unzipped, 'my-pictures'));
    expect(record).toMatchObject({ name: 'my-pictures', data: { inRun: true, classNames: classes } });
    expect(steps.at(0)).toBe(1);
    expect(steps.at(-1)).toBe(1000);

    await panel.getByRole('button', { name: 'Go on to step 1,000' }).click();
    await checkSeen(panel.getByText('Training', { exact: true }));
    await panel.getByRole('button', { name: 'Stop' }).click();
    await checkSeen(panel.getByText('Stopped', { exact: true }));
    await panel.getByText('Kept in this browser (1)').click();
    await panel.getByRole('button', { name: 'Delete my-pictures' }).click();
    await panel.getByRole('button', { name: 'Really delete my-pictures' }).click();
    await expect.poll(() => panel.getByText('Kept in this browser').count()).toBe(0);
    expect(shared.complaints).toEqual([]);
  });

  /** Goes on with a run as the command line does. @returns its settings, and the steps of its log */
  async function resumed(run: string): Promise<{ readonly record: unknown; readonly steps: number[] }> {
    await resume(run);
    const { config: record } = await readRun(run);
    const { records } = await readMetrics(join(run, 'metrics.jsonl'));
    return { record, steps: records.map(({ step }) => step) };
  }

  it('asks before it is left while it trains, and not before', long, async () => {
    const shared = await opened();
    const { page } = shared;
    const asked: string[] = [];
    page.on('dialog', (dialog) => {
      asked.push(dialog.type());
      void dialog.accept();
    });
    await dropPictures(shared, [pictures], 12);
    await beginTraining(shared, { steps: 500 });
    await checkSeen(trainPanel(shared).getByText(/step \d+ of 500/));
    await page.reload();
    expect(asked).toEqual(['beforeunload']);
    await page.reload();
    expect(asked).toHaveLength(1);
  });

  it('goes on with the shared model, whose classes folders are mapped to by name', long, async () => {
    const own = join(folder, 'own');
    await writeClassPictures(own, ['thin', 'thick'], 4, [8, 12]);
    const shared = await opened();
    const { page } = shared;
    await checkSeen(page.getByText('Made in'));
    await dropFiles(page, trainPanel(shared).getByRole('group', { name: 'Pictures', exact: true }), [own]);
    const panel = trainPanel(shared);
    await panel.getByLabel('the shared model, further').check();
    await checkSeen(panel.getByText(/^8 pictures of 12 x 8, grey/));
    await checkSeen(panel.getByRole('alert').getByText('no class of the model is chosen for thick'));
    const button = panel.getByRole('button', { name: 'Train', exact: true });
    await expect.poll(() => button.isDisabled()).toBe(true);
    await panel.getByLabel('thick').selectOption('wide');
    await beginTraining(shared, { steps: 4 });
    await checkSeen(panel.getByText('Finished'), { timeout: 60_000 });
    await checkSeen(panel.getByText('labels (3 classes)'));
    const download = page.waitForEvent('download');
    await panel.getByRole('button', { name: 'Download it' }).click();
    const file = join(folder, 'own.safetensors');
    await (await download).saveAs(file);
    const { run } = await importRun(file, { runs: join(folder, 'imported') });
    const made = await sample(run, { backend, labels: [1], count: 2, steps: 2 });
    expect(made.values.every((value) => Number.isFinite(value))).toBe(true);
  });

  it(
    'trains a new model where the shared one cannot be fetched, on pictures that it draws',
    long,
    async () => {
      const bare = join(folder, 'bare');
      await cp(site, bare, { recursive: true });
      await rm(join(bare, 'weights-1.bin'));
      const shared = await opened({}, bare);
      const { page } = shared;
      await checkSeen(page.getByRole('heading', { name: 'The model could not be opened' }));
      const panel = trainPanel(shared);
      await panel.getByRole('button', { name: 'Draw discs and squares' }).click();
      await checkSeen(panel.getByText(/^512 pictures of/));
      await beginTraining(shared, { steps: 4 });
      await checkSeen(panel.getByText('Finished'), { timeout: 60_000 });
      await panel.getByRole('button', { name: 'Make samples with' }).click();
      await checkSeen(page.getByText('Made in'));
    },
  );

  it('computes on WebGPU', { timeout: 240_000 }, async () => {
    const shared = await opened({}, site, swiftShader);
    // By itself the page takes WebAssembly, as SwiftShader is slower.
    await shared.page.getByLabel('Computed by').selectOption({ value: 'webgpu' });
    await dropPictures(shared, [pictures], 12);
    await beginTraining(shared, { steps: 6 });
    const panel = trainPanel(shared);
    await checkSeen(panel.getByText('Finished'), { timeout: 120_000 });
    await checkSeen(panel.getByText('by WebGPU'));
    await checkSeen(panel.getByRole('img', { name: 'Samples of the model at step 6' }));
  });
});
