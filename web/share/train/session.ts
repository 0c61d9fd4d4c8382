// One training in the tab, from its first step to its last, on whatever device there is by then.
import { DeviceLostError } from '../../../src/backends/device-errors.ts';
import { RectiflowError } from '../../../src/tensor/errors.ts';
import { assembleTraining } from '../../../src/train/prepare.ts';
import type { StoredCheckpoint } from '../../../src/train/run-store.ts';
import type { SampleGrid } from '../../../src/train/sample-grid.ts';
import { Trainer } from '../../../src/train/trainer.ts';
import { trainingData } from '../../../src/train/training-data.ts';
import { type Device, openDevice } from '../device.ts';
import type { DeviceName } from '../device-names.ts';
import { drawGrid } from '../draw.ts';
import { beginWithShared } from './begin-shared.ts';
import { configOf } from './config.ts';
import { labelsOf } from './labels.ts';
import { PatientStore, type SaveAnswer } from './patient-store.ts';
import type { PictureSet } from './picture-set.ts';
import type { FromTrainer, SharedOrigin } from './protocol.ts';
import type { TrainSettings } from './settings.ts';
import { TabSteering } from './steering.ts';
import { toldCaptions } from './told-captions.ts';
import { type TabRun, beginRun } from './tab-run.ts';
import type { KeptRuns } from '../kept/kept-runs.ts';

/** Seconds before each try to open a device that was lost, and how often in a row it may be lost without a checkpoint in between. */
const waits = [0, 2, 8, 30] as const;
const mostLosses = 3;

type Say = (message: FromTrainer) => void;

interface Host {
  /** Where it is kept; undefined: in memory. */
  readonly runs: KeptRuns | undefined;
  readonly say: Say;
  /** The device; undefined for the fastest. */
  readonly chosen: DeviceName | undefined;
}

export class Session {
  readonly run: TabRun;
  readonly #say: Say;
  /** Opened before the first training, which is planned for it. */
  #device: Device | undefined;
  readonly #steering: TabSteering;
  #stop = new AbortController();
  #wasGpu = false;
  readonly #store: PatientStore;

  /** @param device opened for it; one is opened when it trains by default */
  constructor(run: TabRun, say: Say, device?: Device) {
    this.run = run;
    this.#device = device;
    this.#say = say;
    this.#store = new PatientStore(run.store, (step, { message }) => say({ kind: 'unsaved', step, message }));
    this.#steering = new TabSteering((kind) => {
      if (kind !== 'save') say({ kind: kind === 'pause' ? 'paused' : 'training' });
    });
  }

  /**
   * Begins a run.
   * @throws RectiflowError where settings and pictures do not fit together, or the shared model cannot be had
   */
  static async begin(
    settings: TrainSettings,
    shared: SharedOrigin | undefined,
    pictures: PictureSet,
    { runs, say, chosen }: Host,
  ): Promise<Session> {
    const told = toldCaptions(settings, pictures, shared?.manifest);
    const data = pictures.data(labelsOf(settings, pictures.classes, shared?.manifest), told?.captions);
    const device = await openDevice(chosen, (text) => say({ kind: 'notice', text }));
    let run: TabRun | undefined;
    try {
      const config = configOf(settings, data.source, { shared: shared?.manifest, isSlow: device.isSlow });
      run = await beginRun(config, data, runs);
      if (settings.begin === 'shared' && shared) await beginWithShared(run, shared.base);
      return new Session(run, say, device);
    } catch (error) {
      run?.release();
      if (run?.held) await runs?.remove(run.held.run.config.name);
      await device.backend.dispose();
      throw error;
    }
  }

  ask(kind: 'pause' | 'goOn' | 'save'): void {
    this.#steering.ask(kind);
  }

  /** What to do about a checkpoint that could not be saved. */
  answer(answer: SaveAnswer): void {
    this.#store.answer(answer);
  }

  /** Ends `train` after the step that is running. */
  stop(): void {
    this.#stop.abort();
  }

  /** The last checkpoint. @throws RectiflowError where there is none */
  async latest(): Promise<StoredCheckpoint> {
    const latest = await this.run.latest();
    if (latest) return latest;
    throw new RectiflowError('run', 'nothing was saved yet: save the model, or wait until training does');
  }

  /**
   * Goes on after the last checkpoint. Where the device is lost it is opened again.
   * @param chosen the device, where none is open yet; undefined for the fastest
   * @throws RectiflowError what training throws
   */
  async train(chosen: DeviceName | undefined): Promise<void> {
    this.#stop = new AbortController();
    this.#wasGpu = false;
    let [losses, lastStep] = [0, -1];
    for (;;) {
      const device = this.#device ?? (await this.#openAgain(chosen));
      this.#device = undefined;
      try {
        return await this.#trainOn(device);
      } catch (error) {
        if (!(error instanceof DeviceLostError)) throw error;
        const step = (await this.run.latest())?.step ?? 0;
        losses = step === lastStep ? losses + 1 : 1;
        lastStep = step;
        if (losses === mostLosses) throw error;
        const text = `${error.what}. It is opened again, and training goes on after step ${step}.`;
        this.#say({ kind: 'lost', text });
      } finally {
        await device.backend.dispose();
      }
    }
  }

  /** The same kind of device: a GPU is not replaced by a program, with which the rest would take days. */
  async #openAgain(chosen: DeviceName | undefined): Promise<Device> {
    let last = '';
    for (const seconds of waits) {
      await new Promise((done) => setTimeout(done, 1000 * seconds));
      const device = await openDevice(chosen);
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
    const { run } = this;
    const { source, config } = run;
    this.#wasGpu = backend.name === 'webgpu';
    const onNotice = (text: string): void => this.#say({ kind: 'notice', text });
    const checkpoint = await run.latest(({ message }) => onNotice(message));
    const data = await trainingData({ config, source, checkpoint, onNotice });
    const training = await assembleTraining({ config, backend, data, checkpoint, onNotice });
    try {
      const notes = await run.notes(training);
      const log = await run.log(checkpoint?.step ?? 0, onNotice);
      const trainer = await Trainer.open(
        { ...training, notes },
        {
          store: this.#store,
          log,
          steering: this.#steering,
          samples: run.samples((step, grid) => this.#show(step, grid)),
          observer: {
            onNotice,
            onStart: ({ parameters, samples, told }) =>
              this.#say({ kind: 'started', config, parameters, device, isSlow, samples, told }),
            onStep: (metrics) => this.#say({ kind: 'step', metrics }),
            onCheckpoint: (step) => this.#say({ kind: 'saved', step }),
          },
        },
      );
      const { step, finished } = await trainer.run(this.#stop.signal);
      this.#say({ kind: 'ended', step, isFinished: finished });
    } finally {
      await training.dispose();
    }
  }

  /** Shows samples, and gives their picture to be kept. */
  async #show(step: number, { sets, shape, columns, rows }: SampleGrid): Promise<Uint8Array> {
    const canvas = new OffscreenCanvas(1, 1);
    drawGrid(canvas, sets[0]!.samples, shape, columns);
    const picture = await canvas.convertToBlob({ type: 'image/png' });
    this.#say({ kind: 'samples', step, picture, rows });
    return new Uint8Array(await picture.arrayBuffer());
  }
}
