// A run from its first step, or from a checkpoint, to its last.
import { access, rm } from 'node:fs/promises';
import type { RunFolder } from '../checkpoint/run-folder.ts';
import { Loader } from '../data/loader.ts';
import type { SamplerPosition } from '../data/sampler.ts';
import { FlowSampler } from '../flow/sample.ts';
import { countParameters } from '../models/model.ts';
import { emaDecay } from '../optim/ema.ts';
import { LossScaler } from '../optim/loss-scaler.ts';
import { learningRate } from '../optim/schedule.ts';
import type { HostArray } from '../tensor/dtype.ts';
import { RectiflowError, runError } from '../tensor/errors.ts';
import type { StepMetrics, TrainObserver } from './metrics.ts';
import { describeData } from './data-record.ts';
import type { PreparedTraining } from './prepare.ts';
import { type BadStep, BadSteps } from './bad-steps.ts';
import { HeldOut } from './held-out.ts';
import { Insight } from './insight.ts';
import { adamwSettings } from './run-program.ts';
import { type GridSamplers, isPicture, writeSamplePictures } from './sample-grid.ts';
import { type CheckpointNotes, Saver } from './saver.ts';
import { Snapshot, restoreSnapshot } from './snapshot.ts';
import { Monitor } from './monitor/monitor.ts';
import { explainNonFinite } from './monitor/non-finite.ts';
import { giveNotices } from './monitor/notices.ts';
import { averagedWeights } from './state.ts';
import { StepLog } from './step-log.ts';
import { readStep } from './step-report.ts';
import { type TrainerState, stateOf } from './trainer-state.ts';

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

export class Trainer {
  readonly #training: PreparedTraining;
  readonly #folder: RunFolder;
  readonly #observer: TrainObserver;
  readonly #log: StepLog;
  readonly #samplers: GridSamplers;
  readonly #insight: Insight;
  readonly #heldOut: HeldOut | undefined;
  readonly #monitor: Monitor;
  readonly #loader: Loader;
  readonly #saver: Saver;
  readonly #badSteps: BadSteps;
  readonly #scaler: LossScaler | undefined;
  #step: number;
  /** Steps that changed the weights. */
  #updates: number;
  #position: SamplerPosition;
  #samples: string | undefined;

  private constructor(training: PreparedTraining, folder: RunFolder, observer: TrainObserver, log: StepLog) {
    const { config, backend, source, split, checkpoint, model, objective, buffers } = training;
    const { position, updates, rollBacks, lossScaler } = stateOf(checkpoint);
    const { batchSize, precision, lossScaling, badSteps } = config.train;
    this.#training = training;
    this.#folder = folder;
    this.#observer = observer;
    this.#log = log;
    this.#samplers = {
      ema: new FlowSampler(backend, model, averagedWeights(model, buffers), { objective }),
      model: new FlowSampler(backend, model, buffers, { objective }),
    };
    const { optimizer } = config;
    this.#insight = new Insight(backend, buffers, {
      model,
      adamw: adamwSettings(optimizer),
      decayed: optimizer.decayed,
    });
    this.#heldOut = split && new HeldOut({ ...training, split });
    this.#monitor = new Monitor(config, source.count);
    this.#loader = new Loader(source, {
      ...config.loader,
      batchSize,
      seed: config.seed,
      position,
      onBad: ({ message }, skipped) => observer.onNotice?.(`skipped (${skipped} so far): ${message}`),
    });
    this.#badSteps = new BadSteps(badSteps, rollBacks);
    this.#scaler = precision === 'fp16' ? new LossScaler(lossScaling, lossScaler) : undefined;
    this.#step = checkpoint?.step ?? 0;
    this.#updates = updates;
    this.#position = position;
    this.#saver = new Saver({
      folder,
      snapshot: new Snapshot(model, buffers),
      train: config.train,
      observer,
      flush: () => this.#log.sync(),
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
      if (this.#step < steps) await this.#measurePeak();
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
    const { config, executable, conditioning, model, source } = this.#training;
    const step = this.#step + 1;
    const update = this.#updates + 1;
    this.#log.watch.start();
    this.#log.waiting.start();
    const { values, annotations, position } = await this.#loader.next();
    this.#log.waiting.stop();
    this.#monitor.see(values, isPicture(model.sampleShape, source.record));
    const inputs = {
      x0: values,
      ...conditioning.encode(annotations),
      step: Int32Array.of(step),
      update: Int32Array.of(update),
      learningRate: Float32Array.of(this.#learningRate(update)),
      emaDecay: Float32Array.of(emaDecay(update, config.ema)),
      ...(this.#scaler && { lossScale: Float32Array.of(this.#scaler.scale) }),
    };
    await executable.run(inputs);
    // One number, of a run that has been waited for anyway: whether this step counts must be known before the next.
    const [gradScale] = await executable.read('gradScale');
    this.#log.watch.stop();
    this.#step = step;
    this.#position = position;
    if (Number.isNaN(gradScale)) return this.#skip(inputs);
    this.#updates = update;
    this.#scaler?.grow();
    if (step === 1 || isDue(step, config.train.logEvery) || this.#isHeldOutDue()) await this.#logStep();
  }

  /** After a step that changed nothing. */
  async #skip(inputs: Readonly<Record<string, HostArray>>): Promise<void> {
    const { executable } = this.#training;
    const [loss] = await executable.read('loss');
    // An overflow of the gradients in float16 is how the loss scale finds its size.
    if (Number.isFinite(loss!) && this.#scaler?.backOff()) return;
    const [gradNorm] = await executable.read('gradNorm');
    const finding = await explainNonFinite(executable, inputs);
    const bad = { step: this.#step, loss: loss!, gradNorm: gradNorm!, epoch: this.#epoch(), finding };
    const verdict = this.#badSteps.add(bad);
    await this.#folder.noteBadStep({ ...bad });
    this.#observer.onNotice?.(`${describeBadStep(bad)} Nothing was changed by it.`);
    if (verdict === 'skip') return;
    await this.#saver.settled();
    if (verdict === 'stop' || this.#saver.saved === undefined) throw this.#divergence();
    await this.#rollBack();
  }

  /** Back to the last checkpoint. The data go on from here, so that those that led to bad steps are not met again. */
  async #rollBack(): Promise<void> {
    const { model, buffers } = this.#training;
    const from = this.#step;
    const saved = await this.#folder.latest((damage) => this.#observer.onNotice?.(damage.message));
    await restoreSnapshot(model, buffers, saved);
    this.#badSteps.rolledBack();
    this.#step = saved.step;
    this.#updates = stateOf(saved).updates;
    await this.#log.goBack(saved.step);
    // At once: a run that is resumed must not meet the same data again either.
    await this.#saver.save(await this.#notes());
    this.#observer.onNotice?.(
      `training went back from step ${from} to the checkpoint of step ${saved.step}, and goes on with the data after those steps.`,
    );
  }

  #divergence(): RectiflowError {
    const { rollBacks, recent } = this.#badSteps;
    const { saved } = this.#saver;
    const safe = saved
      ? `The last good checkpoint is ${saved.path}; nothing was saved over it`
      : 'No checkpoint was saved yet';
    const tried = rollBacks > 0 ? `, after going back ${rollBacks} times` : '';
    const problem =
      `training diverged: ${recent.length} of the last steps were not finite${tried}. ` +
      `${describeBadStep(recent.at(-1)!)} All of them are in ${this.#folder.badStepsPath}. ${safe}`;
    const advice = 'Train again with a lower optimizer.learningRate, and with optimizer.clipNorm above 0';
    return runError(this.#folder.path, problem, advice);
  }

  /** What the machine can do at most, which takes about 0.3 s. */
  async #measurePeak(): Promise<void> {
    const { backend, model } = this.#training;
    const peak = await backend.measurePeak?.();
    if (peak !== undefined) this.#log.mostSamplesPerSecond = peak / model.cost.training;
  }

  /** Passes over the data so far. */
  #epoch(): number {
    return this.#position.epoch + this.#position.offset / this.#training.source.count;
  }

  #isHeldOutDue(): boolean {
    const { heldOut, train } = this.#training.config;
    return this.#step === train.steps || (this.#heldOut !== undefined && isDue(this.#step, heldOut.every));
  }

  #learningRate(step: number): number {
    const { optimizer, train } = this.#training.config;
    const { learningRate: peak, decay: kind, warmupSteps, floor } = optimizer;
    return learningRate(step, { kind, peak, warmupSteps, floor, totalSteps: train.steps });
  }

  /** The only place where numbers of a step are read from the backend. */
  async #logStep(): Promise<void> {
    const { executable, model } = this.#training;
    const step = this.#step;
    const rate = this.#learningRate(this.#updates);
    const logged = {
      step,
      learningRate: rate,
      epoch: this.#epoch(),
      skipped: this.#step - this.#updates,
      ...(await readStep(executable, model)),
      ...(await this.#insight.measure(this.#updates, rate)),
      ...(this.#isHeldOutDue() && (await this.#heldOut?.evaluate())),
    };
    const metrics = await this.#log.write(logged);
    this.#observer.onStep?.(metrics);
    await giveNotices(this.#folder.path, step, this.#monitor.read(metrics), this.#observer);
  }

  async #notes(): Promise<CheckpointNotes> {
    const { config, conditioning, source } = this.#training;
    if (this.#log.step !== this.#step) await this.#logStep();
    const data = describeData(source, conditioning.learnt);
    const state: TrainerState = {
      position: this.#position,
      seconds: this.#log.watch.seconds,
      data,
      updates: this.#updates,
      rollBacks: this.#badSteps.rollBacks,
      ...(this.#scaler && { lossScaler: this.#scaler.state }),
    };
    const metadata = { model: JSON.stringify(config.model), data: JSON.stringify(data) };
    return { step: this.#step, state: { ...state }, metadata };
  }

  async #sample(signal: AbortSignal | undefined): Promise<void> {
    const { config, model, conditioning, source } = this.#training;
    if (!isPicture(model.sampleShape, source.record)) return;
    const files = {
      grid: this.#folder.samplePath(this.#step),
      path: this.#folder.stripPath(this.#step),
    };
    try {
      await writeSamplePictures(files, this.#samplers, model.sampleShape, config, conditioning, signal);
    } catch (error) {
      if (signal?.aborted) return;
      if (!(error instanceof RectiflowError) || error.code !== 'file') throw error;
      // A full disk, say: no training ends because of a picture.
      for (const file of Object.values(files)) await rm(file, { force: true });
      this.#observer.onNotice?.(error.message);
      return;
    }
    await this.#log.writeImage(this.#step, 'samples', files.grid);
    await this.#log.writeImage(this.#step, 'samples_path', files.path);
    this.#samples = files.grid;
    this.#observer.onSamples?.(this.#step, files.grid);
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

function describeBadStep({ step, loss, gradNorm, finding }: BadStep): string {
  const what = Number.isFinite(loss) ? `the gradient norm was ${gradNorm}` : `the loss was ${loss}`;
  return `At step ${step} ${what}${finding === undefined ? '.' : `: ${finding}.`}`;
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
