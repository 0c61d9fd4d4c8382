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
  const { batchSize } = config.train;
  const x0 = Float32Array.from(
    { length: batchSize * model.sampleShape.reduce((size, extent) => size * extent) },
    () => 2 * Math.random() - 1,
  );
  const inputs = {
    x0,
    ...Object.fromEntries(
      model.conditions.map(({ name, limit }) => [
        name,
        Int32Array.from({ length: batchSize }, (_, i) => i % limit!),
      ]),
    ),
    learningRate: Float32Array.of(config.optimizer.learningRate),
    firstSample: Int32Array.of(0),
    emaWeight: Float32Array.of(1 - config.ema.decay),
  };
  let step = 0;
  const run = (): Promise<void> => {
    const number = Int32Array.of(++step);
    return executable.run({ ...inputs, step: number, update: number });
  };
  return { model, buffers: state, executable, run };
}
