// How long the steps of a training take, by the trainer's own loop: its batches, its logging, nothing saved.
import type { CompiledStep } from '../../train/compiled-step.ts';
import { MemoryStore } from '../../train/memory-store.ts';
import type { StepMetrics } from '../../train/metrics.ts';
import { Trainer } from '../../train/trainer.ts';
import { formatRecord } from '../../kept/metrics-lines.ts';
import type { PreparedRun } from '../../runner/prepare-run.ts';

/** In seconds, where nothing else is said. */
export interface StepTimes {
  /** From one step to the next, where nothing is logged between. */
  readonly step: number;
  /** What a step takes longer whose numbers are read and logged. */
  readonly logging: number;
  /** What the first step takes longer, compilation included. */
  readonly first: number;
  /** Steps that were timed. */
  readonly timed: number;
  /** The share of the time in which steps waited for their data. */
  readonly waiting: number;
  /** Bytes of a line of metrics.jsonl. */
  readonly line: number;
}

export interface TimingOptions {
  readonly signal?: AbortSignal | undefined;
  /** Most time for the steps, once there are enough. */
  readonly seconds: number;
  /** Steps so far, and about how many there will be. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** The first touch memory for the first time; with fewer behind them nothing is known. */
const [untimed, fewest, most] = [3, 6, 2000];
/** Often enough that logged steps are among few. */
const mostBetweenLogs = 6;

/** The weights are of no use afterwards, and what the training holds is not disposed of. */
export async function timeSteps(training: PreparedRun, options: TimingOptions): Promise<StepTimes> {
  const { signal, seconds, onProgress } = options;
  const { train, heldOut } = training.config;
  const logEvery = Math.min(train.logEvery === 0 ? mostBetweenLogs : train.logEvery, mostBetweenLogs);
  const enough = new AbortController();
  /** When each step was handed over, and whether anything was logged between it and the one before. */
  const starts: { readonly at: number; readonly afterLog: boolean }[] = [];
  let last: StepMetrics | undefined;
  let isLogged = false;
  let began = performance.now();
  const onStep = (): void => {
    const at = performance.now();
    starts.push({ at, afterLog: isLogged });
    isLogged = false;
    if (starts.length === untimed) began = at;
    const passed = (at - began) / 1000;
    const total = Math.min(
      most,
      Math.max(fewest, Math.ceil((starts.length * seconds) / Math.max(passed, 1e-3))),
    );
    if (starts.length > untimed) onProgress?.(Math.min(starts.length, total), total);
    if (starts.length >= most || (starts.length > untimed + fewest && passed > seconds)) enough.abort();
  };
  const timed: PreparedRun = {
    ...training,
    // It ends by itself: what is done at the end of a run is not timed here.
    config: {
      ...training.config,
      heldOut: { ...heldOut, every: 0 },
      train: {
        ...train,
        logEvery,
        sampleEvery: 0,
        checkpointEvery: 0,
        steps: Math.max(train.steps, most + 1),
      },
    },
    executable: watched(training.executable, onStep),
  };
  const opened = performance.now();
  const trainer = await Trainer.open(timed, {
    store: new MemoryStore('plan'),
    log: {
      async append(metrics) {
        isLogged = true;
        last = metrics;
      },
    },
  });
  const both = signal ? AbortSignal.any([signal, enough.signal]) : enough.signal;
  await trainer.replay(most + 1, both).catch((error: unknown) => {
    if (!enough.signal.aborted || signal?.aborted) throw error;
  });
  const { step, logging } = split(starts.slice(untimed - 1));
  const firstEnd = starts[1]?.at ?? performance.now();
  return {
    step,
    logging,
    first: Math.max(0, (firstEnd - opened) / 1000 - step),
    timed: Math.max(0, starts.length - untimed),
    waiting: last?.dataWait ?? 0,
    line: last ? Buffer.byteLength(formatRecord({ ...last })) : 0,
  };
}

/** What plain steps take, and what the others take longer. */
function split(starts: readonly { readonly at: number; readonly afterLog: boolean }[]): {
  step: number;
  logging: number;
} {
  const spans = starts
    .slice(1)
    .map(({ at, afterLog }, i) => ({ seconds: (at - starts[i]!.at) / 1000, afterLog }));
  const plain = mean(spans.filter(({ afterLog }) => !afterLog));
  const logged = mean(spans.filter(({ afterLog }) => afterLog));
  // Where each step is logged, that is what a step takes.
  if (plain === undefined) return { step: logged ?? 0, logging: 0 };
  return { step: plain, logging: Math.max(0, (logged ?? plain) - plain) };
}

function mean(spans: readonly { readonly seconds: number }[]): number | undefined {
  return spans.length === 0 ? undefined : spans.reduce((sum, { seconds }) => sum + seconds, 0) / spans.length;
}

/** @param onRun is called when a step is handed over */
function watched(step: CompiledStep, onRun: () => void): CompiledStep {
  return {
    labels: step.labels,
    run(inputs, sampleShape) {
      onRun();
      return step.run(inputs, sampleShape);
    },
    read: (names) => step.read(names),
    pieces: (inputs, sampleShape) => step.pieces(inputs, sampleShape),
    dispose: () => step.dispose(),
  };
}
