// How long a run takes on this machine: by real steps of the very program where that can be, by those of smaller ones where it cannot.
import type { Backend } from '../../backends/backend.ts';
import type { RunConfig } from '../../config/config.ts';
import type { Source } from '../../data/source.ts';
import { withTraining } from '../../runner/prepare-run.ts';
import { counted } from '../../tensor/counted.ts';
import type { OwnModel } from '../../train/create-model.ts';
import type { OwnFlow } from '../../train/objective.ts';
import type { SampleDecoder } from '../../train/sample-decoder.ts';
import { timeBeside } from './beside.ts';
import type { FlopsPlan } from './flops.ts';
import { timeLoading } from './loading.ts';
import { assumedUtilisation } from './machines.ts';
import type { MemoryPlan } from './memory.ts';
import { timeSmaller } from './smaller.ts';
import { timeSteps } from './steps.ts';

/** In seconds. What a run does once, and what it does each time. */
export interface TimeParts {
  /** Opening the data, making and compiling the programs, the first step's share of that. */
  readonly start: number;
  /** One step, loading included. */
  readonly step: number;
  /** What a step takes longer that is logged. */
  readonly logging: number;
  readonly heldOut: number;
  readonly grid: number;
  readonly checkpoint: number;
}

export interface HereTimes extends TimeParts {
  /** What was timed, as a sentence. */
  readonly how: string;
  /** run: the very program; smaller: fewer blocks or samples; peak: nothing but products. */
  readonly by: 'run' | 'smaller' | 'peak';
  /** Samples per second that can be read beside nothing else. */
  readonly loading: number;
  /** The share of the time in which steps waited for data; undefined where that was not seen. */
  readonly waiting: number | undefined;
  readonly pictures: number;
  readonly line: number;
}

export interface HereOptions {
  readonly config: RunConfig;
  readonly backend: Backend;
  readonly source: Source;
  readonly own: OwnFlow & OwnModel;
  /** Makes pictures of samples that are none. */
  readonly decoder: SampleDecoder | undefined;
  readonly memory: MemoryPlan;
  readonly flops: FlopsPlan;
  /** FLOP/s of products, and the seconds that it took to find out; undefined where the backend knows of none. */
  readonly peak: { readonly flops: number; readonly seconds: number } | undefined;
  /** Most time for timed steps; 0: nothing is timed. */
  readonly seconds: number;
  readonly runs: string;
  /** Seconds until the data were open and the backend was there. */
  readonly opening: number;
  readonly signal?: AbortSignal | undefined;
  readonly onNotice?: ((text: string) => void) | undefined;
  readonly onProgress?: ((what: string, done: number, total: number) => void) | undefined;
  readonly onAssumed: (text: string) => void;
}

/** Of the interpreter, which has no peak: FLOP/s that it reaches at most. */
const ofInterpreter = 2e8;
/** A line of metrics.jsonl where none was written. */
const usualLine = 800;
/** Bytes per second of copies in memory, where none was made. */
const assumedCopying = 4e9;
/** Pictures of samples where none were drawn: as many bytes as their numbers. */
const bytesPerPixel = 1;

export async function timeHere(options: HereOptions): Promise<HereTimes> {
  const { flops, memory, peak, seconds, source, config, signal } = options;
  const expected = peak ? peak.flops * assumedUtilisation : ofInterpreter;
  // Some steps more than are timed come first, and each takes its time.
  const canBeTried = memory.fits && flops.step / expected <= seconds / 2;
  options.onProgress?.('reading samples', 0, 1);
  const loading = await timeLoading(source, config, { seconds: Math.min(1, seconds / 4), signal });
  return canBeTried ? timeRun(options, loading) : timeOthers(options, loading, expected);
}

async function timeRun(options: HereOptions, loading: number): Promise<HereTimes> {
  const { config, backend, source, own, peak, seconds, runs, opening, signal, onAssumed, onProgress } =
    options;
  const { memory, decoder, onNotice } = options;
  const began = performance.now();
  return withTraining({ config, backend, source, decoder, ...own, onNotice }, async (training) => {
    const preparing = (performance.now() - began) / 1000;
    const steps = await timeSteps(training, {
      signal,
      seconds,
      onProgress: (done, total) => onProgress?.('training', done, total),
    });
    onProgress?.('drawing samples', 0, 1);
    const { checkpoint } = memory.estimate;
    const { firstGrid, ...beside } = await timeBeside(training, { own, signal, runs, checkpoint, onAssumed });
    return {
      ...beside,
      by: 'run',
      how: `${counted(steps.timed, 'step')} of this very run, with their data, were timed`,
      start: opening + preparing + steps.first + firstGrid + (peak?.seconds ?? 0),
      step: steps.step,
      logging: steps.logging,
      loading,
      waiting: steps.waiting,
      line: steps.line || usualLine,
    };
  });
}

/** By smaller programs, or by the peak of the machine where nothing is to be timed. */
async function timeOthers(options: HereOptions, loading: number, expected: number): Promise<HereTimes> {
  const { config, backend, own, memory, flops, seconds, opening, signal, onAssumed, onProgress } = options;
  const { batchSize } = config.train;
  const timed =
    seconds > 0
      ? await timeSmaller({
          config,
          backend,
          own,
          microBatch: memory.microBatch,
          available: memory.available,
          expected,
          seconds,
          signal,
          onProgress: (done, total) => onProgress?.('training smaller models', done, total),
        })
      : undefined;
  // Steps of other shapes, where there are some, take what their operations are more.
  const ofShapes = flops.step / (flops.training * batchSize);
  const computing = timed ? timed.step * ofShapes : flops.step / expected;
  // The same cores read and decode.
  const step = computing + batchSize / loading;
  const speed = flops.step / computing;
  onAssumed('reading samples takes from the time of steps what it takes on its own');
  if (memory.savesBeside) onAssumed(`the state is copied for checkpoints at ${assumedCopying / 1e9} GB/s`);
  const { checkpoint } = memory.estimate;
  return {
    by: timed ? 'smaller' : 'peak',
    how: timed ? describeSmaller(config, timed) : describePeak(options),
    start: opening,
    step,
    logging: 0,
    heldOut: (4 * config.heldOut.count * flops.forward) / speed,
    grid: flops.grid / speed,
    checkpoint: memory.savesBeside ? checkpoint / assumedCopying : checkpoint / 200e6,
    loading,
    waiting: undefined,
    pictures: flops.grid > 0 ? picturesOf(config) : 0,
    line: usualLine,
  };
}

function describeSmaller(
  { model, train }: RunConfig,
  { depths, samples }: { readonly depths: readonly number[]; readonly samples: readonly number[] },
): string {
  const blocks = 'depth' in model ? `${depths.join(' and ')} of ${counted(model.depth, 'block')}, and ` : '';
  return `steps with ${blocks}${samples.join(' and ')} of ${counted(train.batchSize, 'sample')} were timed: what each block and each sample takes more is taken for the others, too`;
}

function describePeak({ peak }: HereOptions): string {
  const percent = Math.round(100 * assumedUtilisation);
  return peak
    ? `no step was timed: training is taken to reach ${percent} % of the products that this machine makes`
    : `no step was timed: the interpreter is taken to make ${ofInterpreter / 1e6} million operations a second`;
}

/** Bytes of the pictures of a grid that was not drawn. */
function picturesOf({ sample, model }: RunConfig): number {
  if (!('imageSize' in model)) return 0;
  const [height, width] = model.imageSize;
  const rows = sample.prompts.length || sample.labels.length || sample.perClass;
  const images = rows * sample.perClass * (sample.gridWeights === 'both' ? 2 : 1) + 9 * rows;
  return images * height * width * model.channels * bytesPerPixel;
}
