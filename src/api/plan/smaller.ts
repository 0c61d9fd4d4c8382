// How long a step takes that is too large or too slow to be tried: fewer blocks and fewer samples are timed, and what each of them
// takes more is taken to be what the others take, too.
import type { Backend } from '../../backends/backend.ts';
import type { RunConfig } from '../../config/config.ts';
import { divide } from '../../train/division.ts';
import { costOf } from '../../models/model.ts';
import type { Program } from '../../program/index.ts';
import { philoxUniform } from '../../tensor/philox.ts';
import { sizeOf } from '../../tensor/shape.ts';
import { disposeAll } from '../../tensor/lifetime.ts';
import type { HostArray } from '../../tensor/dtype.ts';
import { type OwnModel, createSampleModel } from '../../train/create-model.ts';
import { estimateMemory } from '../../train/memory-estimate.ts';
import type { OwnFlow } from '../../train/objective.ts';
import { allocateState, initializeState } from '../../train/state.ts';
import { stepPrograms } from '../../train/step-shapes.ts';
import { allPrograms } from '../../train/step-programs.ts';

export interface SmallerOptions {
  readonly config: RunConfig;
  readonly backend: Backend;
  readonly own: OwnFlow & OwnModel;
  /** Samples of the run that are computed at a time. */
  readonly microBatch: number;
  /** Bytes that there are. */
  readonly available: number;
  /** Floating-point operations per second that are expected, to choose what can be tried. */
  readonly expected: number;
  /** About how long all of it may take. */
  readonly seconds: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface SmallerTimes {
  /** Seconds of an optimizer step of the run. */
  readonly step: number;
  /** What was timed: numbers of blocks (none where a model has no depth), and of samples. */
  readonly depths: readonly number[];
  readonly samples: readonly number[];
}

/** @returns undefined where not even the smallest of them fits into the memory */
export async function timeSmaller(options: SmallerOptions): Promise<SmallerTimes | undefined> {
  const { config, microBatch, onProgress } = options;
  const { batchSize, shards } = config.train;
  const { parts, size } = divide({ batch: batchSize, shards }, microBatch);
  const depth = 'depth' in config.model ? config.model.depth : undefined;
  const depths = depth === undefined ? [1] : depthsOf(depth, options);
  const samples = samplesOf(size, depths.at(-1)!, options);
  const pieces = depths.flatMap((blocks) => samples.map((count) => ({ blocks, count })));
  const times: PieceTime[] = [];
  for (const piece of pieces) {
    options.signal?.throwIfAborted();
    const time = await timePiece(piece.blocks, piece.count, parts > 1, options);
    if (time === undefined) return undefined;
    times.push(time);
    onProgress?.(times.length, pieces.length);
  }
  const at = (of: (time: PieceTime) => number): number =>
    lineThrough(
      depths.map((blocks, i) => {
        const row = times.slice(i * samples.length, (i + 1) * samples.length);
        return [
          blocks,
          lineThrough(
            row.map((time, j) => [samples[j]!, of(time)]),
            size,
          ),
        ] as const;
      }),
      depth ?? 1,
    );
  return {
    step: parts * at(({ part }) => part) + at(({ update }) => update),
    depths: depth === undefined ? [] : depths,
    samples,
  };
}

interface PieceTime {
  /** Seconds of the program of the samples; of the whole step where that is one program. */
  readonly part: number;
  /** Of the program that ends a step, where there is one. */
  readonly update: number;
}

/**
 * What lies on the line through one or two points; through one and nothing at nothing where there is one that is another. More blocks
 * and samples take no less: where they seem to, as where something else runs beside them, they take the same.
 */
export function lineThrough(points: readonly (readonly [x: number, y: number])[], x: number): number {
  const [[x0, y0], second] = points as [readonly [number, number], (readonly [number, number])?];
  if (second === undefined) return x0 === x ? y0 : (y0 * x) / x0;
  const [x1, y1] = second;
  return y1 <= y0 ? Math.max(y0, y1) : y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
}

/** Seconds that one run of a piece may be expected to take. */
function mostOfPiece({ seconds }: SmallerOptions): number {
  return seconds / 24;
}

/** One block, and as many more as can be timed: the further apart they are, the less it matters how exactly. */
function depthsOf(depth: number, options: SmallerOptions): number[] {
  const affordable = Array.from({ length: depth }, (_, i) => i + 1).filter(
    (blocks) => expectedSeconds(blocks, 1, options) <= mostOfPiece(options),
  );
  const second = Math.min(depth, Math.max(2, Math.min(affordable.length, 1 + Math.ceil(depth / 4))));
  return second === 1 ? [1] : [1, second];
}

/**
 * All samples of a part where they can be timed, else as many as can be, two at least, and half of that: what a part takes for itself,
 * such as the packing of weights, is no sample's.
 */
function samplesOf(size: number, blocks: number, options: SmallerOptions): number[] {
  let count = 1;
  while (count < size && expectedSeconds(blocks, Math.min(size, 2 * count), options) <= mostOfPiece(options))
    count = Math.min(size, 2 * count);
  if (count === size) return [count];
  const more = Math.max(2, count);
  return [more >> 1, more];
}

function expectedSeconds(blocks: number, samples: number, { config, own, expected }: SmallerOptions): number {
  const model = createSampleModel(withDepth(config, blocks).model, undefined, own);
  return (costOf(model).training * samples) / expected;
}

function withDepth(config: RunConfig, depth: number): RunConfig {
  return 'depth' in config.model ? { ...config, model: { ...config.model, depth } } : config;
}

async function timePiece(
  blocks: number,
  samples: number,
  isInParts: boolean,
  { config, backend, own, available }: SmallerOptions,
): Promise<PieceTime | undefined> {
  const { train, model: settings, ...rest } = withDepth(config, blocks);
  const batchSize = isInParts ? 2 * samples : samples;
  const smaller: RunConfig = {
    ...rest,
    model: settings,
    train: { ...train, batchSize, shards: 1, microBatch: samples },
  };
  const model = createSampleModel(settings, undefined, own);
  const steps = stepPrograms(smaller, model, undefined, own);
  const estimate = estimateMemory({
    ...own,
    config: smaller,
    backend,
    model,
    source: { count: 0 },
    programs: steps,
    microBatch: samples,
    savesBeside: false,
  });
  if (estimate.total > available) return undefined;
  const programs = allPrograms(steps.of(samples));
  const buffers = allocateState(backend, ...programs);
  try {
    await initializeState(backend, model, buffers, smaller.seed);
    const [part, update] = programs;
    return {
      part: await timeProgram(part!, backend, buffers),
      update: update === undefined ? 0 : await timeProgram(update, backend, buffers),
    };
  } finally {
    await disposeAll(buffers.values());
  }
}

/** Runs that are timed, after the first, which touches memory for the first time: some in any case, and more where they are short. */
const [fewestRuns, mostRuns, enoughSeconds] = [3, 20, 0.3];

/** The median of some runs, in seconds. */
async function timeProgram(
  program: Program,
  backend: Backend,
  buffers: Parameters<Backend['compile']>[1],
): Promise<number> {
  const executable = await backend.compile(program, buffers);
  const inputs = Object.fromEntries(
    program.inputs.map(({ name, shape, dtype }) => [name!, someValues(shape, dtype)]),
  );
  const output = [...executable.program.outputs.keys()].slice(0, 1);
  const timedRun = async (): Promise<number> => {
    const began = performance.now();
    await executable.run(inputs);
    // Where runs are handed over and done later, this waits for them.
    await executable.read(output);
    return (performance.now() - began) / 1000;
  };
  try {
    await timedRun();
    const times: number[] = [];
    let passed = 0;
    while (times.length < fewestRuns || (passed < enoughSeconds && times.length < mostRuns)) {
      const seconds = await timedRun();
      times.push(seconds);
      passed += seconds;
    }
    return times.toSorted((a, b) => a - b)[times.length >> 1]!;
  } finally {
    await executable.dispose();
  }
}

/** Small numbers, none of which makes a step large or slow. */
function someValues(shape: readonly number[], dtype: string): HostArray {
  const elements = sizeOf(shape);
  if (dtype === 'int32') return new Int32Array(elements).fill(1);
  const drawn = philoxUniform({ seed: 0, stream: 0, step: 0, firstSample: 0, samples: 1, elements });
  return Float32Array.from(drawn, (value) => value * 1e-3);
}
