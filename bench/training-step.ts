// A training step of a case as the trainer runs it, on random images.
import {
  type Buffers,
  type CpuExecutable,
  type CpuOptions,
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
  const model = createModel(config.model);
  const backend = cpuBackend(options);
  const program = runProgram(config, model);
  const state = allocateState(backend, program);
  const initialized = initializeState(backend, model, state, config.seed);
  const executable = await backend.compile(program, state);
  await initialized;
  const inputsOf = randomInputs(config, model, { first: 0, count: config.train.batchSize });
  let step = 0;
  return { model, buffers: state, executable, run: () => executable.run(inputsOf(++step)) };
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
