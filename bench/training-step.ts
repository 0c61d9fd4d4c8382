// A training step of a case as the trainer runs it, on random images.
import {
  type Backend,
  type Buffers,
  type CpuExecutable,
  type CpuOptions,
  type Executable,
  type Program,
  type VelocityModel,
  type RunConfig,
  allocateState,
  cpuBackend,
  createModel,
  initializeState,
  runProgram,
} from 'rectiflow';

export interface PreparedStep {
  readonly model: VelocityModel;
  /** The step's whole state. */
  readonly buffers: Buffers;
  readonly executable: CpuExecutable;
  /** One step: draws, forward, backward, clipping, AdamW, EMA. */
  run(): Promise<void>;
}

export async function prepareStep(config: RunConfig, options: CpuOptions): Promise<PreparedStep> {
  const { model, buffers, executable, inputs } = await prepareStepOn(cpuBackend(options), config);
  let step = 0;
  return { model, buffers, executable, run: () => executable.run(inputs(++step)) };
}

/** @returns the step, and its inputs by its number from 1 */
export async function prepareStepOn<E extends Executable>(
  backend: Omit<Backend, 'compile'> & { compile(program: Program, buffers: Buffers): Promise<E> },
  config: RunConfig,
): Promise<
  Pick<PreparedStep, 'model' | 'buffers'> & {
    readonly executable: E;
    inputs(step: number): Record<string, Float32Array | Int32Array>;
    /** Milliseconds that it took to compile it. */
    readonly compiled: number;
    /** Compiles the same step once more. @returns milliseconds that it took */
    compileAgain(): Promise<number>;
  }
> {
  const model = createModel(config.model);
  const program = runProgram(config, model);
  const buffers = allocateState(backend, program);
  const initialized = initializeState(backend, model, buffers, config.seed);
  const began = performance.now();
  const executable = await backend.compile(program, buffers);
  const compiled = performance.now() - began;
  await initialized;
  const inputs = randomInputs(config, model, { first: 0, count: config.train.batchSize });
  const compileAgain = async (): Promise<number> => {
    const start = performance.now();
    const again = await backend.compile(program, buffers);
    const taken = performance.now() - start;
    await again.dispose();
    return taken;
  };
  return { model, buffers, executable, inputs, compiled, compileAgain };
}

/**
 * Inputs of steps that learn from random images.
 * @param samples of the step's, which of them are learnt from here
 * @returns those of a step, by its number from 1
 */
export function randomInputs(
  { optimizer, ema }: RunConfig,
  model: VelocityModel,
  samples: { readonly first: number; readonly count: number },
): (step: number) => Record<string, Float32Array | Int32Array> {
  const { first, count } = samples;
  const elements = model.sampleShape.reduce((size, extent) => size * extent);
  const inputs = {
    x0: Float32Array.from({ length: count * elements }, () => 2 * Math.random() - 1),
    ...Object.fromEntries(
      model.conditions.map(({ name, limit }) => [
        name,
        Int32Array.from({ length: count }, (_, i) => (first + i) % limit!),
      ]),
    ),
    learningRate: Float32Array.of(optimizer.learningRate),
    firstSample: Int32Array.of(first),
    emaWeight: Float32Array.of(1 - ema.decay),
  };
  return (step) => ({ ...inputs, step: Int32Array.of(step), update: Int32Array.of(step) });
}
