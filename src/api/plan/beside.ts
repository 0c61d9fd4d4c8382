// How long it takes what a run does beside its steps: pictures of samples, held-out losses, checkpoints.
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { writeDurably } from '../../host/durable.ts';
import { writeSamplePictures } from '../../pictures/sample-pictures.ts';
import type { PreparedRun } from '../../runner/prepare-run.ts';
import { isVelocity } from '../../models/model.ts';
import { type SampleWriter, Gallery } from '../../train/gallery.ts';
import { openMeasurements } from '../../train/measurements.ts';
import type { OwnFlow } from '../../train/objective.ts';
import { runTaskOf } from '../../train/run-program.ts';
import type { SampleDecoder } from '../../train/sample-decoder.ts';
import { Snapshot } from '../../train/snapshot.ts';

/** In seconds, where nothing else is said. */
export interface BesideTimes {
  /** Pictures of one grid, from noise to files. */
  readonly grid: number;
  /** Programs that make samples are compiled once. */
  readonly firstGrid: number;
  /** One evaluation of the held-out loss. */
  readonly heldOut: number;
  /** What training stops for at a checkpoint, and what is done beside it. */
  readonly checkpoint: number;
  /** Bytes of the pictures of one grid; 0 where samples cannot be shown. */
  readonly pictures: number;
}

export interface BesideOptions {
  readonly own: OwnFlow;
  readonly signal?: AbortSignal | undefined;
  /** Where the run's folder would be. */
  readonly runs: string;
  /** Bytes of a checkpoint. */
  readonly checkpoint: number;
  /** Told what cannot be measured, and what is taken in its place. */
  readonly onAssumed: (text: string) => void;
}

export async function timeBeside(training: PreparedRun, options: BesideOptions): Promise<BesideTimes> {
  const grid = await timeGrid(training, options);
  options.signal?.throwIfAborted();
  const heldOut = await timeHeldOut(training);
  options.signal?.throwIfAborted();
  const checkpoint = await timeCheckpoint(training, options);
  return { ...grid, heldOut, checkpoint };
}

/** Steps of a sampler that are timed: their number is what the time of a grid grows with. */
const timedSteps = 4;

async function timeGrid(
  training: PreparedRun,
  { own, signal }: BesideOptions,
): Promise<Pick<BesideTimes, 'grid' | 'firstGrid' | 'pictures'>> {
  const { sample } = training.config;
  const steps = Math.min(timedSteps, sample.steps);
  const config = { ...training.config, sample: { ...sample, steps } };
  const { grid: task } = runTaskOf(config, training.model, own);
  const folder = await mkdtemp(join(tmpdir(), 'rectiflow-plan-'));
  // Of pictures, however many steps there were before.
  let [drawing, pictures] = [0, 0];
  const decoder = training.decoder && watched(training.decoder, (milliseconds) => (drawing += milliseconds));
  const writer: SampleWriter = {
    async write(_, grid) {
      const began = performance.now();
      const files = { grid: join(folder, 'grid.png'), path: join(folder, 'path.png') };
      await writeSamplePictures(files, grid);
      drawing += performance.now() - began;
      pictures = await bytesIn(folder);
      return { path: files.grid, pictures: {} };
    },
    has: async () => false,
  };
  const gallery = await Gallery.open(
    { ...training, config, decoder, task: { ...training.task, grid: task } },
    writer,
  );
  if (gallery === undefined) return { grid: 0, firstGrid: 0, pictures: 0 };
  try {
    const timed = async (): Promise<{ sampling: number; drawing: number }> => {
      drawing = 0;
      const began = performance.now();
      await gallery.write(0, config, signal);
      signal?.throwIfAborted();
      return { sampling: (performance.now() - began - drawing) / 1000, drawing: drawing / 1000 };
    };
    const first = await timed();
    const second = await timed();
    // The steps of dopri5 are as many as it needs, whatever the setting, and what is no velocity takes none.
    const hasSteps = isVelocity(training.model) && sample.sampler !== 'dopri5';
    const times = hasSteps ? sample.steps / steps : 1;
    return {
      grid: second.sampling * times + second.drawing,
      firstGrid: Math.max(0, first.sampling - second.sampling) + Math.max(0, first.drawing - second.drawing),
      pictures,
    };
  } finally {
    await gallery.dispose();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Which pictures there are depends on what is shown. */
async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** @param onDecoded hears how long each call took, in milliseconds */
function watched(decoder: SampleDecoder, onDecoded: (milliseconds: number) => void): SampleDecoder {
  return {
    ...decoder,
    async decode(samples, shape) {
      const began = performance.now();
      const pictures = await decoder.decode(samples, shape);
      onDecoded(performance.now() - began);
      return pictures;
    },
  };
}

async function timeHeldOut(training: PreparedRun): Promise<number> {
  if (training.config.heldOut.count === 0) return 0;
  const measurements = await openMeasurements(training, undefined, () => {});
  try {
    const began = performance.now();
    await measurements.heldOut?.evaluate();
    return (performance.now() - began) / 1000;
  } finally {
    await measurements.dispose();
  }
}

/** Bytes that are written to see how fast the disk takes them. */
const mostWritten = 64 * 2 ** 20;
/** Where nothing can be written: a slow disk's. */
const assumedBytesPerSecond = 200e6;

async function timeCheckpoint(
  run: PreparedRun,
  { runs, checkpoint, onAssumed }: BesideOptions,
): Promise<number> {
  const snapshot = new Snapshot(run, run.plan.savesBeside ? undefined : run.backend.view);
  const began = performance.now();
  await snapshot.take();
  const copying = (performance.now() - began) / 1000;
  const bytes = Math.min(mostWritten, checkpoint);
  const rate = await writingRate(await existing(runs), bytes).catch(() => undefined);
  if (rate === undefined)
    onAssumed(
      `nothing can be written where ${runs} would be: the disk is taken to write ${assumedBytesPerSecond / 1e6} MB/s`,
    );
  return copying + checkpoint / (rate ?? assumedBytesPerSecond);
}

/** Bytes per second that a folder takes, hashed on the way as checkpoints are. */
async function writingRate(folder: string, bytes: number): Promise<number> {
  const path = join(folder, `.rectiflow-plan-${process.pid}`);
  const values = new Uint8Array(bytes);
  const began = performance.now();
  try {
    await writeDurably(path, [values]);
  } finally {
    await rm(path, { force: true });
  }
  return bytes / ((performance.now() - began) / 1000);
}

/** The nearest folder that is there already. */
async function existing(folder: string): Promise<string> {
  const path = resolve(folder);
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() || dirname(path) === path ? path : existing(dirname(path));
}
