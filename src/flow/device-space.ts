// Where the steps of samplers are programs over buffers: x stays on the device from noise to data.
import type { Backend, Buffer, Buffers, Executable } from '../backends/backend.ts';
import { advance, assign, denoise, philoxNormal } from '../ops/index.ts';
import type { Weighted } from '../ops/advance.ts';
import { type Shares, sharesInOrder } from '../ops/denoise.ts';
import { trace } from '../program/index.ts';
import type { HostArray } from '../tensor/dtype.ts';
import { toFloat32Parts } from '../tensor/float32-parts.ts';
import { Kept } from '../tensor/kept.ts';
import { type Disposable, disposeAll } from '../tensor/lifetime.ts';
import { streams } from '../tensor/random-streams.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';
import { type Integration, type Space, type TakeStep, stepsDown } from './integrator.ts';
import { stateNames } from './velocity-program.ts';

/** Places among the buffers: where the model looks, and what it says. */
const [seen, said] = [0, 1];

/** Executables by what they do and where. */
export type SamplePrograms = Kept<Executable>;

export function samplePrograms(): SamplePrograms {
  return new Kept<Executable>('the sampler', (executable) => executable.dispose());
}

/** The value that a program makes of others. */
type Build = (graph: Graph, values: readonly Tensor[]) => Tensor;
type Inputs = Readonly<Record<string, HostArray>>;

/** Buffers for batches of one shape, and the programs between them. Both are kept from batch to batch. */
export class SampleMemory implements Disposable {
  /** [B, ...sampleShape] */
  readonly shape: Shape;
  readonly #backend: Backend;
  readonly #buffers: Buffer[] = [];
  readonly #programs = samplePrograms();

  constructor(backend: Backend, shape: Shape) {
    this.#backend = backend;
    this.shape = shape;
  }

  get x(): Buffer {
    return this.#at(seen);
  }

  get velocity(): Buffer {
    return this.#at(said);
  }

  /** What programs that evaluate the velocity have as their state. */
  get state(): Buffers {
    return new Map([
      [stateNames.x, this.x],
      [stateNames.velocity, this.velocity],
    ]);
  }

  /**
   * Makes what is in the first of the places out of what is in the others.
   * @param name of what is done, by which it is found again with the places
   * @param programs where it is kept
   */
  async run(
    name: string,
    places: readonly number[],
    build: Build,
    inputs: Inputs,
    programs: SamplePrograms = this.#programs,
  ): Promise<void> {
    const executable = await programs.get(`${name} ${places.join(' ')}`, () => {
      const program = trace(name, (graph) => {
        const values = places.map((_, i) => graph.stateful(`v${i}`, this.shape));
        assign(values[0]!, build(graph, values.slice(1)));
        return {};
      });
      return this.#backend.compile(program, new Map(places.map((place, i) => [`v${i}`, this.#at(place)])));
    });
    await executable.run(inputs);
  }

  async dispose(): Promise<void> {
    await this.#programs.dispose();
    await disposeAll(this.#buffers);
  }

  #at(place: number): Buffer {
    return (this.#buffers[place] ??= this.#backend.allocate({ shape: this.shape, dtype: 'float32' }));
  }
}

/** What is known of the samples of a batch. */
export interface BatchOnDevice {
  /** Sets the velocity, at the x that is in the state. */
  evaluate(t: number): Promise<void>;
  readonly seed: number;
  /** The index of the first sample. */
  readonly first: number;
  /** For programs that are of this seed alone. */
  readonly programs: SamplePrograms;
  /** Where samples are that begin on the way. */
  readonly from?: Float32Array | undefined;
}

/** A value of a step. It is moved when its place is needed. */
interface Held {
  place: number;
}

/** Takes the steps of one batch. */
export class DeviceSpace implements Space<Held> {
  readonly #memory: SampleMemory;
  readonly #batch: BatchOnDevice;
  /** By place: what the step under way has made. */
  readonly #held = new Map<number, Held>();

  constructor(memory: SampleMemory, batch: BatchOnDevice) {
    this.#memory = memory;
    this.#batch = batch;
  }

  /** From noise, or from where samples are, to data, which is in x then. */
  async takeSteps(takeStep: TakeStep, integration: Integration): Promise<void> {
    const { from } = this.#batch;
    if (from) await this.#memory.x.write(from);
    else await this.#draw(streams.sampling, 0, seen);
    for (const step of stepsDown(integration)) {
      this.#held.clear();
      const next = await takeStep(this, this.#hold(seen), step, integration);
      await this.#copy(next.place, seen);
    }
  }

  async velocity(x: Held, t: number): Promise<Held> {
    if (x.place !== seen) {
      await this.#vacate(seen);
      await this.#copy(x.place, seen);
    }
    await this.#vacate(said);
    await this.#batch.evaluate(t);
    return this.#hold(said);
  }

  advance(x: Held, scale: number, slopes: readonly Weighted<Held>[], noise?: Weighted<Held>): Promise<Held> {
    const weighted = noise ? [...slopes, noise] : slopes;
    const coefficients = toFloat32Parts([scale, ...weighted.map(([weight]) => weight)]);
    const values = weighted.map(([, value]) => value);
    const build: Build = (graph, [from, ...others]) => {
      const numbers = graph.input('coefficients', [1 + others.length, 3]);
      return advance(from!, numbers, others.slice(0, slopes.length), others[slopes.length]);
    };
    return this.#make(noise ? 'advanceWithNoise' : 'advance', [x, ...values], build, { coefficients });
  }

  denoise(x: Held, prediction: Held, shares: Shares, clip: number): Promise<Held> {
    const coefficients = toFloat32Parts(sharesInOrder(shares));
    const build: Build = (graph, [from, noise]) =>
      denoise(from!, graph.input('coefficients', [4, 3]), noise!, clip);
    return this.#make(`denoise clip=${clip}`, [x, prediction], build, { coefficients });
  }

  async noise(step: number): Promise<Held> {
    const made = this.#take();
    await this.#draw(streams.diffusion, step, made.place);
    return made;
  }

  async #make(name: string, from: readonly Held[], build: Build, inputs: Inputs): Promise<Held> {
    const made = this.#take();
    const places = [made, ...from].map(({ place }) => place);
    await this.#memory.run(name, places, build, inputs);
    return made;
  }

  async #draw(stream: number, step: number, place: number): Promise<void> {
    const { seed, first, programs } = this.#batch;
    const { shape } = this.#memory;
    const build: Build = (graph) => {
      const firstSample = graph.input('first', [], 'int32');
      return philoxNormal(graph.input('step', [], 'int32'), shape, {
        seed,
        stream,
        firstSample,
        exact: true,
      });
    };
    const inputs = { step: Int32Array.of(step), first: Int32Array.of(first) };
    await this.#memory.run(`noise of stream ${stream}`, [place], build, inputs, programs);
  }

  #hold(place: number): Held {
    const held = { place };
    this.#held.set(place, held);
    return held;
  }

  /** The first place that nothing is in, but those of the model's. */
  #take(): Held {
    let place = said + 1;
    while (this.#held.has(place)) place++;
    return this.#hold(place);
  }

  /** Moves what is in a place elsewhere: the step may ask for it again. */
  async #vacate(place: number): Promise<void> {
    const held = this.#held.get(place);
    if (held === undefined) return;
    const { place: to } = this.#take();
    await this.#copy(place, to);
    this.#held.delete(place);
    this.#held.set(to, held);
    held.place = to;
  }

  async #copy(from: number, to: number): Promise<void> {
    if (from !== to) await this.#memory.run('copy', [to, from], (_, [value]) => value!, {});
  }
}
