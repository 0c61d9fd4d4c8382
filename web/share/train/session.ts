// One training in the tab, from its first step to its last, on whatever device there is by then.
import { DeviceLostError } from '../../../src/backends/device-errors.ts';
import type { Source } from '../../../src/data/source.ts';
import { RectiflowError } from '../../../src/tensor/errors.ts';
import { assembleTraining } from '../../../src/train/prepare.ts';
import type { SampleWriter } from '../../../src/train/gallery.ts';
import type { StoredCheckpoint } from '../../../src/train/run-store.ts';
import type { TrainingConfig } from '../../../src/train/settings.ts';
import { Trainer } from '../../../src/train/trainer.ts';
import { trainingData } from '../../../src/train/training-data.ts';
import { type Device, openDevice } from '../device.ts';
import { drawGrid } from '../draw.ts';
import { beginWithShared } from './begin-shared.ts';
import { configOf } from './config.ts';
import { type KeptRun, keptInMemory } from './kept-run.ts';
import { labelsOf } from './labels.ts';
import type { PictureSet } from './picture-set.ts';
import type { FromTrainer, SharedOrigin } from './protocol.ts';
import type { TrainSettings } from './settings.ts';
import { TabSteering } from './steering.ts';

/** Seconds before each try to open a device that was lost, and how often in a row it may be lost without a checkpoint in between. */
const waits = [0, 2, 8, 30] as const;
const mostLosses = 3;

type Say = (message: FromTrainer) => void;

export class Session {
  readonly source: Source;
  readonly config: TrainingConfig;
  readonly #run: KeptRun;
  readonly #say: Say;
  /** Opened before the first training, which is planned for it. */
  #device: Device | undefined;
  readonly #steering: TabSteering;
  #stop = new AbortController();
  #wasGpu = false;

  private constructor(source: Source, config: TrainingConfig, run: KeptRun, device: Device, say: Say) {
    this.source = source;
    this.config = config;
    this.#run = run;
    this.#device = device;
    this.#say = say;
    this.#steering = new TabSteering((kind) => {
      if (kind !== 'save') say({ kind: kind === 'pause' ? 'paused' : 'training' });
    });
  }

  /** @throws RectiflowError where settings and pictures do not fit together, or the shared model cannot be had */
  static async open(
    settings: TrainSettings,
    shared: SharedOrigin | undefined,
    pictures: PictureSet,
    say: Say,
  ): Promise<Session> {
    const source = pictures.source(labelsOf(settings, pictures.classes, shared?.manifest));
    const device = await openDevice((text) => say({ kind: 'notice', text }));
    try {
      const config = configOf(settings, source, { shared: shared?.manifest, isSlow: device.isSlow });
      const run = keptInMemory();
      if (settings.begin === 'shared' && shared) await beginWithShared(run.store, config, shared.base);
      return new Session(source, config, run, device, say);
    } catch (error) {
      await device.backend.dispose();
      throw error;
    }
  }

  ask(kind: 'pause' | 'goOn' | 'save'): void {
    this.#steering.ask(kind);
  }

  /** Ends `train` after the step that is running. */
  stop(): void {
    this.#stop.abort();
  }

  /** The last checkpoint. @throws RectiflowError where there is none */
  async latest(): Promise<StoredCheckpoint> {
    const latest = await this.#run.latest();
    if (latest) return latest;
    throw new RectiflowError('run', 'nothing was saved yet: save the model, or wait until training does');
  }

  /** Goes on after the last checkpoint. Where the device is lost it is opened again. @throws RectiflowError what training throws */
  async train(): Promise<void> {
    this.#stop = new AbortController();
    let [losses, lastStep] = [0, -1];
    for (;;) {
      const device = this.#device ?? (await this.#openAgain());
      this.#device = undefined;
      try {
        return await this.#trainOn(device);
      } catch (error) {
        if (!(error instanceof DeviceLostError)) throw error;
        const step = (await this.#run.latest())?.step ?? 0;
        losses = step === lastStep ? losses + 1 : 1;
        lastStep = step;
        if (losses === mostLosses) throw error;
        const text = `${error.what}. It is opened again, and training goes on after step ${step}.`;
        this.#say({ kind: 'notice', text });
      } finally {
        await device.backend.dispose();
      }
    }
  }

  /** The same kind of device: a GPU is not replaced by a program, with which the rest would take days. */
  async #openAgain(): Promise<Device> {
    let last = '';
    for (const seconds of waits) {
      await new Promise((done) => setTimeout(done, 1000 * seconds));
      const device = await openDevice();
      if (!this.#wasGpu || device.backend.name === 'webgpu') return device;
      last = device.device;
      await device.backend.dispose();
    }
    throw new RectiflowError(
      'backend',
      `the GPU was lost, and could not be opened again (${last}). Close other tabs that use it, and go on`,
    );
  }

  async #trainOn({ backend, device, isSlow }: Device): Promise<void> {
    const { source, config } = this;
    this.#wasGpu = backend.name === 'webgpu';
    const onNotice = (text: string): void => this.#say({ kind: 'notice', text });
    const checkpoint = await this.#run.latest();
    const data = await trainingData({ config, source, checkpoint, onNotice });
    const training = await assembleTraining({ config, backend, data, checkpoint, onNotice });
    try {
      const { store, log } = this.#run;
      const trainer = await Trainer.open(training, {
        store,
        log,
        steering: this.#steering,
        samples: this.#shown(),
        observer: {
          onNotice,
          onStart: ({ parameters, samples, told }) =>
            this.#say({ kind: 'started', config, parameters, device, isSlow, samples, told }),
          onStep: (metrics) => this.#say({ kind: 'step', metrics }),
          onCheckpoint: (step) => this.#say({ kind: 'saved', step }),
        },
      });
      const { step, finished } = await trainer.run(this.#stop.signal);
      this.#say({ kind: 'ended', step, isFinished: finished });
    } finally {
      await training.dispose();
    }
  }

  #shown(): SampleWriter {
    return {
      write: async (step, { sets, shape, columns, rows }) => {
        const canvas = new OffscreenCanvas(1, 1);
        drawGrid(canvas, sets[0]!.samples, shape, columns);
        const picture = await canvas.convertToBlob({ type: 'image/png' });
        this.#say({ kind: 'samples', step, picture, rows });
        return { path: await this.#run.keepSamples(step, picture), pictures: {} };
      },
      has: (step) => this.#run.hasSamples(step),
    };
  }
}
