// A run from its first step, or from a checkpoint, to its last.
import { access, rm } from 'node:fs/promises';
import type { SavedCheckpoint } from '../checkpoint/checkpoint.ts';
import type { RunFolder } from '../checkpoint/run-folder.ts';
import { Loader } from '../data/loader.ts';
import type { SamplerPosition } from '../data/sampler.ts';
import { FlowSampler } from '../flow/sample.ts';
import { countParameters } from '../models/model.ts';
import { emaDecay } from '../optim/ema.ts';
import { learningRate } from '../optim/schedule.ts';
import { RectiflowError } from '../tensor/errors.ts';
import type { StepMetrics, TrainObserver } from './metrics.ts';
import { type DataRecord, describeData } from './data-record.ts';
import type { PreparedTraining } from './prepare.ts';
import { isPicture, writeSampleGrid } from './sample-grid.ts';
import { type CheckpointNotes, Saver } from './saver.ts';
import { Snapshot } from './snapshot.ts';
import { averagedWeights } from './state.ts';
import { StepLog } from './step-log.ts';

/** What has become of a run. */
export interface TrainResult {
  /** The run's folder. */
  readonly run: string;
  /** Optimizer steps done. */
  readonly step: number;
  /** False where a signal stopped the run before its last step. */
  readonly finished: boolean;
  /** Of training, in all processes that took part; sampling and saving are left out. */
  readonly seconds: number;
  /** Of the last step logged by this process. */
  readonly metrics: StepMetrics | undefined;
  /** The path of the last checkpoint; undefined where no step was done. */
  readonly checkpoint: string | undefined;
  /** The path of the last grid of samples made by this process. */
  readonly samples: string | undefined;
}

/** What a checkpoint holds beside tensors. */
interface TrainerState {
  readonly position: SamplerPosition;
  readonly seconds: number;
  readonly data: DataRecord;
}

function stateOf(checkpoint: SavedCheckpoint | undefined): Pick<TrainerState, 'position' | 'seconds'> {
  const start = { position: { epoch: 0, offset: 0 }, seconds: 0 };
  return (checkpoint?.state as TrainerState | undefined) ?? start;
}

export class Trainer {
  readonly #training: PreparedTraining;
  readonly #folder: RunFolder;
  readonly #observer: TrainObserver;
  readonly #log: StepLog;
  readonly #sampler: FlowSampler;
  readonly #loader: Loader;
  readonly #saver: Saver;
  #step: number;
  #position: SamplerPosition;
  #samples: string | undefined;

  private constructor(training: PreparedTraining, folder: RunFolder, observer: TrainObserver, log: StepLog) {
    const { config, backend, source, checkpoint, model, buffers } = training;
    const { position } = stateOf(checkpoint);
    const { batchSize } = config.train;
    this.#training = training;
    this.#folder = folder;
    this.#observer = observer;
    this.#log = log;
    this.#sampler = new FlowSampler(backend, model, averagedWeights(model, buffers));
    this.#loader = new Loader(source, {
      ...config.loader,
      batchSize,
      seed: config.seed,
      position,
      onBad: ({ message }, skipped) => observer.onNotice?.(`skipped (${skipped} so far): ${message}`),
    });
    this.#step = checkpoint?.step ?? 0;
    this.#position = position;
    this.#saver = new Saver({
      folder,
      snapshot: new Snapshot(model, buffers),
      train: config.train,
      observer,
      flush: () => log.sync(),
      saved: checkpoint,
    });
  }

  /** @param folder is held by this process; the caller closes it */
  static async open(
    training: PreparedTraining,
    folder: RunFolder,
    observer: TrainObserver = {},
  ): Promise<Trainer> {
    const { config, checkpoint } = training;
    const { seconds } = stateOf(checkpoint);
    const log = await StepLog.open(
      folder,
      config.train.batchSize,
      checkpoint?.step ?? 0,
      seconds,
      (problem) => observer.onNotice?.(problem.message),
    );
    return new Trainer(training, folder, observer, log);
  }

  /**
   * Trains to the last step, or until the signal: then the step that is running is finished and saved.
   * @throws RectiflowError when the loss or the gradient is no longer a finite number, where nothing is saved; and when the
   *   last checkpoint cannot be written
   */
  async run(signal?: AbortSignal): Promise<TrainResult> {
    const { steps, checkpointEvery, sampleEvery } = this.#training.config.train;
    this.#announce();
    try {
      while (this.#step < steps) {
        if (signal?.aborted) break;
        await this.#advance();
        if (isDue(this.#step, checkpointEvery)) await this.#saver.begin(await this.#notes());
        if (isDue(this.#step, sampleEvery)) await this.#sample(signal);
      }
      const finished = this.#step === steps;
      await this.#saver.settled();
      if (this.#step > 0 && this.#saver.saved?.step !== this.#step)
        await this.#saver.save(await this.#notes());
      if (finished && !(await exists(this.#folder.samplePath(steps)))) await this.#sample(signal);
      return {
        run: this.#folder.path,
        step: this.#step,
        finished,
        seconds: this.#log.watch.seconds,
        metrics: this.#log.metrics,
        checkpoint: this.#saver.saved?.path,
        samples: this.#samples,
      };
    } finally {
      this.#loader.close();
      await this.#saver.settled();
      await this.#log.close();
    }
  }

  /** One optimizer step, while the loader reads the batch after it. */
  async #advance(): Promise<void> {
    const { config, executable, conditioning } = this.#training;
    const { steps, logEvery } = config.train;
    const step = this.#step + 1;
    this.#log.watch.start();
    this.#log.waiting.start();
    const { values, annotations, position } = await this.#loader.next();
    this.#log.waiting.stop();
    await executable.run({
      x0: values,
      ...conditioning.encode(annotations),
      step: Int32Array.of(step),
      learningRate: Float32Array.of(this.#learningRate(step)),
      emaDecay: Float32Array.of(emaDecay(step, config.ema)),
    });
    this.#log.watch.stop();
    this.#step = step;
    this.#position = position;
    if (step === 1 || step === steps || isDue(step, logEvery)) await this.#logStep();
  }

  #learningRate(step: number): number {
    const { optimizer, train } = this.#training.config;
    const { learningRate: peak, decay: kind, warmupSteps, floor } = optimizer;
    return learningRate(step, { kind, peak, warmupSteps, floor, totalSteps: train.steps });
  }

  /** The only place where numbers of a step are read from the backend. */
  async #logStep(): Promise<void> {
    const { source, executable } = this.#training;
    const [loss] = await executable.read('loss');
    const [gradNorm] = await executable.read('gradNorm');
    const step = this.#step;
    const epoch = this.#position.epoch + this.#position.offset / source.count;
    const logged = { step, loss: loss!, learningRate: this.#learningRate(step), gradNorm: gradNorm!, epoch };
    // The error that this will end in names the last good checkpoint.
    if (!Number.isFinite(loss! + gradNorm!)) await this.#saver.settled();
    const metrics = await this.#log.write(logged, this.#saver.saved?.path);
    this.#observer.onStep?.(metrics);
  }

  async #notes(): Promise<CheckpointNotes> {
    const { config, conditioning, source } = this.#training;
    // Also tells whether the weights are worth saving.
    if (this.#log.step !== this.#step) await this.#logStep();
    const data = describeData(source, conditioning.learnt);
    const state: TrainerState = { position: this.#position, seconds: this.#log.watch.seconds, data };
    const metadata = { model: JSON.stringify(config.model), data: JSON.stringify(data) };
    return { step: this.#step, state: { ...state }, metadata };
  }

  async #sample(signal: AbortSignal | undefined): Promise<void> {
    const { config, model, conditioning, source } = this.#training;
    if (!isPicture(model.sampleShape, source.record)) return;
    const path = this.#folder.samplePath(this.#step);
    try {
      await writeSampleGrid(path, this.#sampler, model.sampleShape, config, conditioning, signal);
    } catch (error) {
      if (signal?.aborted) return;
      if (!(error instanceof RectiflowError) || error.code !== 'file') throw error;
      // A full disk, say: no training ends because of a picture.
      await rm(path, { force: true }).catch(() => {});
      this.#observer.onNotice?.(error.message);
      return;
    }
    await this.#log.writeSamples(this.#step, path);
    this.#samples = path;
    this.#observer.onSamples?.(this.#step, path);
  }

  #announce(): void {
    const { config, backend, source, model } = this.#training;
    this.#observer.onStart?.({
      run: this.#folder.path,
      step: this.#step,
      steps: config.train.steps,
      parameters: countParameters(model),
      backend: backend.describe(),
      data: source.name,
      samples: source.count,
    });
  }
}

/** Whether something that is done every so many steps is done after this one; 0 means never. */
function isDue(step: number, every: number): boolean {
  return every > 0 && step % every === 0;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
