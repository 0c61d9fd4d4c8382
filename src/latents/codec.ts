// Pictures to latents and back, on a backend and within a bound on memory.
import type { Backend, Buffers, Disposable, Executable } from '../backends/backend.ts';
import type { Autoencoder } from '../models/autoencoders/autoencoder.ts';
import type { Lattice } from '../models/autoencoders/parts.ts';
import { RectiflowError, formatShape, valueError } from '../tensor/errors.ts';
import { Lifetime, disposeAll, serial } from '../tensor/lifetime.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import { type Step, mebibytes, stepsOf } from './layout.ts';
import { type Direction, type Pass, decoding, encoding } from './passes.ts';
import { type Picture, addWeighted, cut, weightsOf } from './tiles.ts';

/** What an encoder says of pictures; the latents are not scaled. */
export interface EncodedPictures {
  /** [B, z, H / f, W / f], row-major */
  readonly mean: Float32Array;
  /** Of the mean's shape; undefined of an autoencoder whose latent is the mean. */
  readonly logVariance: Float32Array | undefined;
  readonly shape: Shape;
}

export interface DecodedLatents {
  /** [B, C, f h, f w], row-major, about [-1, 1] and not clamped. */
  readonly images: Float32Array;
  readonly shape: Shape;
}

export interface CodecOptions {
  /** Bytes that a run may take on the backend, beside weights and what is handed over; 4 GiB by default. What does not fit is tiled. */
  readonly memory?: number | undefined;
  /** Told once of each size whose pictures are tiled in a way that changes them a little. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

export const defaultMemory: number = 2 ** 32;

/** Encodes and decodes with the weights that its buffers hold at the time. Programs are compiled for each shape and kept, until it is disposed of. */
export class LatentCodec implements Disposable {
  readonly autoencoder: Autoencoder;
  readonly #backend: Backend;
  readonly #weights: Buffers;
  readonly #memory: number;
  readonly #onNotice: (text: string) => void;
  readonly #encoding: Direction;
  readonly #decoding: Direction;
  readonly #executables = new Map<string, Executable>();
  readonly #steps = new Map<string, readonly Step[]>();
  /** Calls take turns: what a run leaves is read before the next. */
  readonly #exclusively = serial();
  readonly #life = new Lifetime('the codec', () =>
    this.#exclusively(() => disposeAll(this.#executables.values())),
  );

  /** @param weights a buffer for every parameter of the autoencoder, by name; whoever allocated them disposes of them, after the codec */
  constructor(
    backend: Backend,
    autoencoder: Autoencoder,
    weights: Buffers,
    { memory = defaultMemory, onNotice = () => {} }: CodecOptions = {},
  ) {
    if (!(memory > 0)) throw valueError('codec', 'memory', 'a number of bytes above 0', memory);
    this.autoencoder = autoencoder;
    this.#backend = backend;
    this.#weights = weights;
    this.#memory = memory;
    this.#onNotice = onNotice;
    this.#encoding = encoding(autoencoder);
    this.#decoding = decoding(autoencoder);
  }

  /**
   * @param images in [-1, 1], row-major
   * @param shape [B, C, H, W], H and W multiples of the factor
   * @throws RectiflowError where the shape does not fit, and for numbers that are not finite
   */
  async encode(images: Float32Array, shape: Shape): Promise<EncodedPictures> {
    this.#life.check();
    this.autoencoder.checkShape(shape.slice(1));
    const { values, shape: out } = await this.#exclusively(() => this.#run(this.#encoding, images, shape));
    const [mean, logVariance] = values;
    return { mean: mean!, logVariance, shape: out };
  }

  /**
   * @param latents as the autoencoder has them: what a diffusion model says is unscaled before
   * @param shape [B, z, h, w]
   * @throws RectiflowError where the shape does not fit, and for numbers that are not finite
   */
  async decode(latents: Float32Array, shape: Shape): Promise<DecodedLatents> {
    this.#life.check();
    const { latentChannels } = this.autoencoder;
    const [, channels, ...sides] = shape;
    if (channels !== latentChannels || sides.length !== 2 || !sides.every((side) => side > 0)) {
      throw valueError('decode', 'shape', `[B, ${latentChannels}, height, width]`, formatShape(shape));
    }
    const { values, shape: out } = await this.#exclusively(() => this.#run(this.#decoding, latents, shape));
    return { images: values[0]!, shape: out };
  }

  /** When what was asked for is done. Weights and backend stay as they are. */
  dispose(): Promise<void> {
    return this.#life.dispose();
  }

  async #run(direction: Direction, pictures: Float32Array, shape: Shape): Promise<Result> {
    const [count, , height, width] = shape as [number, number, number, number];
    if (pictures.length !== sizeOf(shape)) {
      throw valueError(
        direction.name,
        'pictures',
        `${sizeOf(shape)} numbers for ${formatShape(shape)}`,
        pictures.length,
      );
    }
    const { input, output } = direction.whole;
    const grid = [count, height / input.scale, width / input.scale] as const;
    let values: readonly Float32Array[] = [pictures];
    for (const step of this.#stepsOf(direction, grid)) values = await this.#take(step, values[0]!, grid);
    for (const each of values) checkFinite(direction, each);
    return { values, shape: [count, output.channels, grid[1] * output.scale, grid[2] * output.scale] };
  }

  #stepsOf(direction: Direction, grid: Grid): readonly Step[] {
    const key = `${direction.name} ${grid.join(' ')}`;
    const known = this.#steps.get(key);
    if (known !== undefined) return known;
    const steps = stepsOf(this.#backend, direction, grid, this.#memory);
    this.#steps.set(key, steps);
    for (const step of steps) this.#tellOf(direction, grid, step);
    return steps;
  }

  #tellOf({ name }: Direction, [, height, width]: Grid, { layout }: Step): void {
    const { rows, columns, isBlended, wholeBytes } = layout;
    const tiles = rows.starts.length * columns.starts.length;
    if (tiles === 1 || !isBlended) return;
    const { factor } = this.autoencoder;
    const size = `${height * factor}x${width * factor}`;
    const tileSize = `${rows.size * factor}x${columns.size * factor}`;
    this.#onNotice(
      `${name}: a picture of ${size} takes ${mebibytes(wholeBytes)} at once, more than ${mebibytes(this.#memory, Math.floor)}. It is done in ${tiles} tiles of ${tileSize}, which fade into each other: norms see a tile and not the picture, so that tones differ from what it is with more memory.`,
    );
  }

  /** Pictures through a pass: each output of it, of all pictures. */
  async #take({ pass, layout }: Step, pictures: Float32Array, grid: Grid): Promise<Float32Array[]> {
    const { channels, scale } = pass.output;
    const [count, height, width] = grid;
    const values = pass.names.map(() => new Float32Array(count * channels * height * width * scale ** 2));
    const isWhole = layout.rows.starts.length * layout.columns.starts.length === 1;
    const work = { pass, layout, pictures, grid, values };
    await (isWhole ? this.#takeWhole(work) : this.#takeTiles(work));
    return values;
  }

  async #takeWhole({ pass, pictures, grid, layout, values }: Work): Promise<void> {
    const [count, height, width] = grid;
    const size = pictures.length / count;
    for (let first = 0; first < count; first += layout.atOnce) {
      const some = Math.min(layout.atOnce, count - first);
      const part = pictures.subarray(first * size, (first + some) * size);
      const made = await this.#compute(pass, part, [some, height, width]);
      values.forEach((all, i) => all.set(made[i]!, (first * all.length) / count));
    }
  }

  async #takeTiles({ pass, pictures, grid, layout, values }: Work): Promise<void> {
    const { input, output } = pass;
    const [count, height, width] = grid;
    const { rows, columns, isBlended } = layout;
    const from = pictureOf(input, height, width);
    const part = pictureOf(input, rows.size, columns.size);
    const to = pictureOf(output, height, width);
    const down = weightsOf(rows, output.scale, isBlended);
    const across = weightsOf(columns, output.scale, isBlended);
    for (let index = 0; index < count; index++) {
      const of = (all: Float32Array): Float32Array =>
        all.subarray((index * all.length) / count, ((index + 1) * all.length) / count);
      for (const [i, top] of rows.starts.entries()) {
        for (const [j, left] of columns.starts.entries()) {
          const cutOut = cut(of(pictures), from, part, top * input.scale, left * input.scale);
          const made = await this.#compute(pass, cutOut, [1, rows.size, columns.size]);
          values.forEach((all, k) =>
            addWeighted(of(all), to, made[k]!, down[i]!, across[j]!, top * output.scale, left * output.scale),
          );
        }
      }
    }
  }

  async #compute(pass: Pass, pictures: Float32Array, grid: Grid): Promise<Float32Array[]> {
    const executable = await this.#compiled(pass, grid);
    await executable.run({ pictures });
    const read = await executable.read(pass.names);
    return pass.names.map((name) => Float32Array.from(read[name]!));
  }

  async #compiled(pass: Pass, grid: Grid): Promise<Executable> {
    const key = `${pass.name} ${grid.join(' ')}`;
    const known = this.#executables.get(key);
    if (known !== undefined) return known;
    const compiled = await this.#backend.compile(pass.program(...grid), this.#weights);
    this.#executables.set(key, compiled);
    return compiled;
  }
}

/** Pictures, and latent pixels of their sides. */
type Grid = readonly [count: number, height: number, width: number];

interface Work extends Step {
  readonly pictures: Float32Array;
  readonly grid: Grid;
  /** What is filled, one for each output. */
  readonly values: readonly Float32Array[];
}

interface Result {
  readonly values: readonly Float32Array[];
  readonly shape: Shape;
}

/** @param height in latent pixels, as the width */
function pictureOf({ channels, scale }: Lattice, height: number, width: number): Picture {
  return { channels, height: height * scale, width: width * scale };
}

function checkFinite({ name }: Direction, values: Float32Array): void {
  const odd = values.find((value) => !Number.isFinite(value));
  if (odd === undefined) return;
  throw new RectiflowError(
    'value',
    `${name}: the result holds ${odd}. Either what was given holds numbers that are not finite, or the range of half precision is too small for this autoencoder: use fp32.`,
  );
}
