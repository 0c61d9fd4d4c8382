// From a batch of the loader to a step that the backend has been handed.
import { type Batch, Loader } from '../data/loader.ts';
import type { HostArray } from '../tensor/dtype.ts';
import type { StepInputs } from './compiled-step.ts';
import { isAnythingDue } from './due.ts';
import { coupledNoise } from './coupled-noise.ts';
import { otherRanks } from './ranks/other-ranks.ts';
import type { PreparedTraining } from './prepare.ts';
import type { TrainingConfig } from './settings.ts';
import { settledInput } from './running-ahead.ts';
import { type StepNumbers, stepInputs } from './step-inputs.ts';
import { batchSizeOf } from './step-shapes.ts';

/** A step that was handed to the backend. */
export interface Submitted extends StepNumbers {
  readonly batch: Batch;
  readonly inputs: StepInputs;
  /**
   * Its flag; the others too where they cannot be read later, because the next step has been handed over by then; and its loss where
   * samples have several shapes, whose losses are told apart.
   */
  readonly told: Promise<{ readonly counts: HostArray } & Partial<Told>>;
}

/** What is asked of a step that did not count. */
export type Told = Readonly<Record<'loss' | 'gradNorm', HostArray>>;

export interface SubmitterOptions {
  readonly training: PreparedTraining;
  /** The config that a step is done with. */
  readonly configOf: (step: number) => TrainingConfig;
  /** Measures how long steps wait for data. */
  readonly waiting: { start(): void; stop(): void };
  /** Sees each batch once. */
  readonly onBatch: (batch: Batch) => void;
  /** Told of samples that are skipped. */
  readonly onNotice: (text: string) => void;
}

export class Submitter {
  readonly #options: SubmitterOptions;
  readonly #loader: Loader;
  #returned: Batch | undefined;

  constructor(options: SubmitterOptions) {
    const { config, source, data, model, conditioning, share, communicator } = options.training;
    const { rank, ranks, shards } = share;
    const train = { ...config.train, shards };
    this.#options = options;
    this.#loader = new Loader(source, {
      ...config.loader,
      batchSize: train.batchSize / ranks,
      batchSizeOf: (shape) => batchSizeOf(shape, model.sampleShape, train) / ranks,
      rank,
      ranks,
      seed: config.seed,
      position: data.position,
      placement: conditioning.placement,
      others: otherRanks(communicator, 'trained'),
      onBad: ({ message }, skipped) => options.onNotice(`skipped (${skipped} so far): ${message}`),
    });
  }

  /**
   * @param isSettled whether it is known of all steps before that they count, or do not
   * @returns undefined where the signal came before its batch
   */
  async submit(
    numbers: StepNumbers,
    isSettled: boolean,
    signal?: AbortSignal,
  ): Promise<Submitted | undefined> {
    const { training, configOf } = this.#options;
    const { executable, conditioning, runsAhead, source, exchange } = training;
    const batch = await this.#next(signal);
    if (batch === undefined) return undefined;
    const config = configOf(numbers.step);
    const inputs = {
      x0: batch.values,
      ...coupledNoise(config.flow, batch.annotations),
      ...conditioning.encode(batch.annotations, batch.shape),
      ...stepInputs(config, { ...numbers, firstSample: batch.firstSample }, training),
      [settledInput]: Float32Array.of(isSettled ? 1 : 0),
    };
    const run = (): Promise<void> => executable.run(inputs, batch.shape);
    await (exchange ? exchange.stepping.during(run) : run());
    const told = runsAhead
      ? executable.read(['counts', 'loss', 'gradNorm'])
      : executable.read(source.sizes ? ['counts', 'loss'] : ['counts']);
    // It is awaited later, and what fails until then is no stray error.
    told.catch(() => {});
    return { ...numbers, batch, inputs, told };
  }

  /**
   * Whether the next step may be handed over before it is known whether this one counts.
   * @param last after which none may
   */
  mayRunAhead({ step, update }: Submitted, last: number): boolean {
    const { training, configOf } = this.#options;
    return training.runsAhead && step < last && update > 1 && !isAnythingDue(step, configOf(step));
  }

  /** A batch that was learnt from in vain, because the step before did not count: it is the next one. */
  giveBack(batch: Batch | undefined): void {
    this.#returned = batch;
  }

  /** What all ranks have skipped so far, in words; undefined where that is nothing. All of them call it. */
  async skippedSummary(): Promise<string | undefined> {
    const { communicator } = this.#options.training;
    const all = (await communicator?.gatherJson(this.#loader.skippedIndices)) ?? [];
    return this.#loader.summaryWith(all.flat());
  }

  close(): void {
    this.#loader.close();
  }

  async #next(signal?: AbortSignal): Promise<Batch | undefined> {
    const returned = this.#returned;
    this.#returned = undefined;
    if (returned) return returned;
    const { waiting, onBatch } = this.#options;
    waiting.start();
    const batch = await this.#loader.next(signal);
    waiting.stop();
    if (batch) onBatch(batch);
    return batch;
  }
}
