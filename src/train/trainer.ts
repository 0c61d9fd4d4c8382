// A run from its first step, or from a checkpoint, to its last.
import { DeviceLostError } from '../backends/backend.ts';
import type { Batch } from '../data/loader.ts';
import { type SamplerPosition, epochsOf } from '../data/sampler.ts';
import { latentRecordOf } from '../data/latents.ts';
import { isPicture } from '../data/source.ts';
import { LossScaler } from '../optim/loss-scaler.ts';
import { BadSteps, describeBadStep, divergence } from './bad-steps.ts';
import { explainBadStep } from './explain-bad-step.ts';
import type { StepInputs } from './compiled-step.ts';
import { isDue, isHeldOutDue } from './due.ts';
import { Dispensable } from './dispensable.ts';
import { type Measurements, openMeasurements } from './measurements.ts';
import type { TrainObserver, TrainResult } from './metrics.ts';
import { Monitor } from './monitor/monitor.ts';
import { LossBySize } from './loss-by-size.ts';
import { type PreparedTraining, describeTraining, mostSamplesPerSecond, workOf } from './prepare.ts';
import type { RunOutcome } from './run-log.ts';
import type { RunStore } from './run-store.ts';
import { type CheckpointNotes, notesOf } from './checkpoint-notes.ts';
import { Saver } from './saver.ts';
import { restoreLatest } from './restore.ts';
import { Snapshot } from './snapshot.ts';
import { SteeredRun } from './steered-run.ts';
import { StepLog } from './step-log.ts';
import { stopSignal } from './ranks/stop-signal.ts';
import { measureStep } from './measure-step.ts';
import { RankTimes } from './ranks/rank-times.ts';
import { type Submitted, Submitter, type Told } from './submitter.ts';
import { stateOf } from './trainer-state.ts';
import type { TrainingHost } from './training-host.ts';

export class Trainer {
  readonly #training: PreparedTraining;
  readonly #store: RunStore;
  readonly #observer: TrainObserver;
  readonly #log: StepLog;
  readonly #measurements: Measurements;
  readonly #monitor: Monitor;
  readonly #steered: SteeredRun;
  readonly #submitter: Submitter;
  readonly #saver: Saver;
  readonly #dispensable: Dispensable;
  readonly #badSteps: BadSteps;
  readonly #scaler: LossScaler | undefined;
  /** Where samples have several shapes. */
  readonly #losses: LossBySize | undefined;
  #step: number;
  /** Steps that changed the weights, and whether the last one did. */
  #updates: number;
  #hasUpdated = false;
  #position: SamplerPosition;
  /** The last one that was handed over, where it is not known yet whether it counts. */
  #unsettled: Submitted | undefined;

  private constructor(
    training: PreparedTraining,
    { store, observer = {} }: TrainingHost,
    log: StepLog,
    measurements: Measurements,
    steered: SteeredRun,
  ) {
    const { config, backend, source, data, checkpoint, model, plan } = training;
    const { updates, rollBacks, recentBadSteps, lossScaler } = stateOf(checkpoint);
    const { precision, lossScaling, badSteps } = config.train;
    const areBounded = source.paired === undefined && isPicture(model.sampleShape, source.record);
    this.#training = training;
    this.#store = store;
    this.#observer = observer;
    this.#log = log;
    this.#measurements = measurements;
    this.#monitor = Monitor.of(training);
    this.#steered = steered;
    this.#submitter = new Submitter({
      training,
      configOf: (step) => steered.configOf(step),
      waiting: log.waiting,
      onBatch: ({ values }) => this.#monitor.see(values, areBounded, latentRecordOf(source.record)),
      onNotice: this.#notice,
    });
    const telling = { ...observer, onNotice: this.#notice };
    this.#dispensable = new Dispensable({ training, store, log, measurements, observer: telling });
    this.#badSteps = new BadSteps(badSteps, rollBacks, recentBadSteps);
    this.#scaler = precision === 'fp16' ? new LossScaler(lossScaling, lossScaler) : undefined;
    this.#losses = source.sizes && new LossBySize();
    this.#step = checkpoint?.step ?? 0;
    this.#updates = updates;
    this.#position = data.position;
    this.#saver = new Saver({
      store,
      snapshot: new Snapshot(training, plan.savesBeside ? undefined : backend.view),
      train: steered.saving(() => this.#step),
      observer: telling,
      flush: () => log.sync(),
      saved: checkpoint,
    });
  }

  /** @throws RectiflowError where a checkpoint's state is none, or a program cannot be compiled */
  static async open(training: PreparedTraining, host: TrainingHost): Promise<Trainer> {
    const { checkpoint, memory } = training;
    const { log = {} } = host;
    try {
      const { seconds } = stateOf(checkpoint);
      const step = checkpoint?.step ?? 0;
      await host.store.dropLaterAverages(step);
      const stepLog = new StepLog({ log, memory, step, seconds, ranks: RankTimes.of(training) });
      const measurements = await openMeasurements(training, host.samples, (text) => trainer.#notice(text));
      const steered = await SteeredRun.open(training, host.steering);
      const trainer: Trainer = new Trainer(training, host, stepLog, measurements, steered);
      for (const text of training.data.notices) trainer.#notice(text);
      return trainer;
    } catch (error) {
      await host.steering?.close?.();
      await log.close?.('failed');
      throw error;
    }
  }

  /**
   * Trains to the last step, of the run or of its stage, or until the signal: then the step that is running is finished and saved. What
   * the trainer has compiled is disposed of then; the training is not.
   * @throws RectiflowError when too many steps are not finite, when the last checkpoint cannot be written, and when the run's folder is
   * gone or another process has taken it; DeviceLostError when its device is lost
   */
  async run(asked?: AbortSignal): Promise<TrainResult> {
    const { train, ema } = this.#training.config;
    const [first, steps] = [this.#step, this.#training.span?.until ?? train.steps];
    const run = this.#store.path;
    this.#observer.onStart?.({ run, step: this.#step, ...describeTraining(this.#training) });
    let outcome: RunOutcome = 'failed';
    let isSaveDue = false;
    const stop = stopSignal(this.#training, asked);
    try {
      while (this.#step < steps && !stop.isDue) {
        if (this.#steered.isAsked) {
          await this.#settleLast();
          const orders = await this.#steered.obey(this.#step, stop, {
            onNotice: this.#notice,
            save: () => this.#saver.beginOnce(this.#step, this.#hasUpdated, () => this.#notes()),
            sample: (event) => this.#measurements.orders.fulfil(event, stop.signal),
          });
          if (orders.isStopDue) break;
          isSaveDue ||= orders.isSaveDue;
        }
        // Not before the first step, for whose line the user waits.
        if (this.#step > first) await this.#log.measurePeak(() => mostSamplesPerSecond(this.#training));
        const before = this.#step;
        const isGood = await this.#advance(stop.signal, isSaveDue ? this.#step : steps);
        if (isGood === undefined) break;
        // Nothing is due after the step before.
        if (this.#unsettled) continue;
        const config = this.#steered.configOf(this.#step);
        // Going back saves by itself.
        isSaveDue = this.#step > before && (isSaveDue || isDue(this.#step, config.train.checkpointEvery));
        // After a bad step the weights may be what made it bad: no checkpoint to go back to.
        if (!isGood) continue;
        if (isDue(this.#step, ema.snapshotEvery))
          await this.#dispensable.storeAverages(this.#step, this.#updates);
        if (isSaveDue) await this.#saver.begin(await this.#notes());
        isSaveDue = false;
        if (isDue(this.#step, config.train.sampleEvery))
          await this.#dispensable.sample(this.#step, config, stop.signal);
      }
      await this.#settleLast();
      const finished = this.#step === steps;
      await this.#saver.settled();
      await this.#store.mend(this.#notice);
      const { saved } = this.#saver;
      // What is named at the end must be there, also where somebody deleted it.
      if (this.#step > 0 && (saved?.step !== this.#step || !(await this.#store.has(saved.path))))
        await this.#saver.save(await this.#notes());
      if (finished && !(await this.#measurements.gallery?.has(steps)))
        await this.#dispensable.sample(this.#step, this.#steered.configOf(this.#step), stop.signal);
      const skippedSummary = await this.#submitter.skippedSummary();
      if (skippedSummary !== undefined) this.#notice(skippedSummary);
      outcome = finished ? 'finished' : 'stopped';
      return {
        run,
        step: this.#step,
        finished,
        seconds: this.#log.watch.seconds,
        metrics: this.#log.metrics,
        checkpoint: this.#saver.saved?.path,
        samples: await this.#measurements.gallery?.lastPath(),
      };
    } catch (error) {
      throw error instanceof DeviceLostError ? error.after(this.#step) : error;
    } finally {
      stop.end();
      await this.#close(outcome);
    }
  }

  /** Does the steps up to `last` again, of a run that was trained before: they are logged, and nothing is saved or sampled. */
  async replay(last: number, signal?: AbortSignal): Promise<void> {
    try {
      while (this.#step < last) {
        signal?.throwIfAborted();
        await this.#advance(signal, last);
      }
    } finally {
      await this.#close('stopped');
    }
  }

  async #close(outcome: RunOutcome): Promise<void> {
    await this.#steered.close();
    this.#submitter.close();
    await this.#saver.settled();
    await this.#log.close(outcome);
    await this.#measurements.dispose();
  }

  /**
   * Hands one optimizer step over, while the loader reads the batch after it, and waits until it is known whether it counts; where the
   * backend runs ahead and nothing is due after the step, whether the one before counts.
   * @param last after which no further step may be handed over before that is known
   * @returns false where one was bad and changed nothing; undefined where the signal came before its batch
   */
  async #advance(signal: AbortSignal | undefined, last: number): Promise<boolean | undefined> {
    this.#log.watch.start();
    const before = this.#unsettled;
    const { step, update } = before ?? { step: this.#step, update: this.#updates };
    const numbers = { step: step + 1, update: update + 1, lossScale: this.#scaler?.scale };
    const submitted = await this.#submitter.submit(numbers, before === undefined, signal);
    this.#unsettled = undefined;
    const isLate = submitted !== undefined && this.#submitter.mayRunAhead(submitted, last);
    // Of steps that are done in turn, the later one tells that both are done.
    const waited = isLate ? before : (submitted ?? before);
    await waited?.told;
    this.#log.watch.stop();
    if (before && !(await this.#settle(before))) {
      // It did not count either, and is done again as if it had never been.
      this.#submitter.giveBack(submitted?.batch);
      return false;
    }
    if (submitted === undefined) return undefined;
    if (!isLate) return this.#settle(submitted);
    this.#unsettled = submitted;
    return true;
  }

  /** Where training ends or waits. */
  async #settleLast(): Promise<void> {
    const last = this.#unsettled;
    this.#unsettled = undefined;
    if (last) await this.#settle(last);
  }

  /** @returns whether it counts, or that it does not is of no concern */
  async #settle({ step, update, batch, inputs, told }: Submitted): Promise<boolean> {
    const { counts, ...others } = await told;
    this.#step = step;
    this.#position = batch.position;
    this.#log.count(workOf(this.#training, batch.indices.length * this.#training.share.ranks, batch.shape));
    this.#hasUpdated = counts[0] === 1;
    if (!this.#hasUpdated) return this.#skip(inputs, batch, others);
    this.#updates = update;
    this.#scaler?.grow();
    this.#losses?.add(batch.shape, others.loss![0]!);
    const { logEvery } = this.#steered.configOf(step).train;
    if (update === 1 || isDue(step, logEvery) || isHeldOutDue(step, this.#training.config))
      await this.#logStep();
    return true;
  }

  /**
   * After a step that changed nothing, which has no line in the log; where that is once too often, training goes back to a
   * checkpoint.
   * @returns whether it is of no concern
   */
  async #skip(inputs: StepInputs, batch: Batch, told: Partial<Told>): Promise<boolean> {
    const { loss, gradNorm } = { ...(await this.#training.executable.read(['loss', 'gradNorm'])), ...told };
    // An overflow of the gradients in float16 is how the loss scale finds its size.
    if (Number.isFinite(loss[0]) && this.#scaler?.backOff()) return true;
    const bad = {
      step: this.#step,
      epoch: epochsOf(this.#position, this.#training.source),
      loss: loss[0]!,
      gradNorm: gradNorm[0]!,
      finding: await explainBadStep(this.#training, inputs, batch),
    };
    const verdict = this.#badSteps.add(this.#step);
    await this.#store.noteBadStep(bad);
    this.#notice(
      `${describeBadStep(bad, this.#badSteps.recent.length === 1)} Nothing was changed by this step.`,
    );
    if (verdict === 'skip') return false;
    await this.#saver.settled();
    const { saved } = this.#saver;
    if (verdict === 'stop' || saved === undefined)
      throw divergence(bad, this.#badSteps, this.#store, saved?.path);
    await this.#rollBack();
    return false;
  }

  /** Back to the last checkpoint. The data go on from here: those that led to bad steps are not met again. */
  async #rollBack(): Promise<void> {
    const from = this.#step;
    const saved = await restoreLatest(this.#training, this.#store, this.#notice);
    this.#badSteps.rolledBack();
    this.#step = saved.step;
    await this.#steered.keep(from, saved.step);
    this.#updates = stateOf(saved).updates;
    await this.#log.goBack(saved.step);
    this.#losses?.take();
    await this.#store.dropLaterAverages(saved.step);
    // At once: a run that is resumed must not meet the same data again either. A full disk is told, and ends no run.
    await this.#saver.begin(await this.#notes());
    await this.#saver.settled();
    this.#notice(
      `training went back from step ${from} to the checkpoint of step ${saved.step}, and goes on with the data after those steps.`,
    );
  }

  async #logStep(): Promise<void> {
    const measured = await measureStep(this.#training, this.#measurements, {
      step: this.#step,
      updates: this.#updates,
      position: this.#position,
      config: this.#steered.configOf(this.#step),
      losses: this.#losses?.take(),
    });
    const metrics = await this.#log.write(measured);
    this.#observer.onStep?.(metrics);
    await this.#monitor.agree(this.#training.communicator);
    for (const text of this.#monitor.read(metrics)) this.#notice(text);
  }

  /** For a save that begins now. */
  async #notes(): Promise<CheckpointNotes> {
    await this.#store.mend(this.#notice);
    if (this.#hasUpdated && this.#log.step !== this.#step) await this.#logStep();
    const standing = {
      position: this.#position,
      seconds: this.#log.watch.seconds,
      updates: this.#updates,
      rollBacks: this.#badSteps.rollBacks,
      recentBadSteps: this.#badSteps.recent,
      ...(this.#scaler && { lossScaler: this.#scaler.state }),
    };
    return notesOf(this.#training, this.#step, standing, this.#steered.settingsAfter(this.#step));
  }

  /** Tells the user, the sinks and the run's folder. */
  readonly #notice = (text: string): void => {
    this.#observer.onNotice?.(text);
    this.#log.writeNotice(this.#step, text);
  };
}
