// `rectiflow/core`: training and sampling in any JavaScript host. Nothing here knows of files, processes or packages: where a run is
// kept, what it tells and how its samples are shown is handed over.

// A training, from settings to its last step.
export { type TrainingInput, completeTraining } from './train/complete.ts';
export { type TrainingData, type TrainingDataOptions, trainingData } from './train/training-data.ts';
export {
  type AssembleOptions,
  type PreparedTraining,
  type TrainingNotes,
  assembleTraining,
} from './train/prepare.ts';
export { Trainer } from './train/trainer.ts';
export type { TrainingHost } from './train/training-host.ts';
export type {
  AskedSamples,
  MadeSamples,
  SampleOrder,
  SteeringEvent,
  SteeringKind,
  SteeringRequest,
  SteeringSettings,
} from './steering/event.ts';
export type { OrderedSamples } from './train/make-ordered.ts';
export type { Steering } from './steering/steering.ts';
export type { ModelConfig, TrainingConfig } from './train/settings.ts';
export type { StepMetrics, TrainObserver, TrainResult, TrainStart } from './train/metrics.ts';
export type { DeviceEstimate, MemoryEstimate, MemoryParts } from './train/memory-estimate.ts';
export type { TrainingPlan } from './train/plan-training.ts';
export type { HostMemory } from './train/host-memory.ts';
export type { RunLog, RunOutcome } from './train/run-log.ts';
export type {
  Checkpoint,
  CheckpointPart,
  OpenPart,
  OpenTensors,
  Retention,
  RunStore,
  StoredCheckpoint,
} from './train/run-store.ts';
export { type KeptFolder, MemoryFolder } from './kept/folder.ts';
export { type EncodedSamples, KeptRun } from './kept/run.ts';
export { type KeptConfig, keptConfig } from './kept/config.ts';
export { type DataInRun, type RunData, type RunImages, runData } from './kept/data.ts';
export { type NotedTraining, keptNotes } from './kept/notes.ts';
export { type SharedStart, checkpointOfShared } from './kept/from-shared.ts';
export type { Machine } from './kept/machine.ts';
export type { RunRecord } from './kept/record.ts';
export type { MetricsRecord } from './kept/metrics-lines.ts';
export { type KeptAverages, type KeptCheckpoint, MemoryStore } from './train/memory-store.ts';
export type { SampleWriter, ShownSamples } from './train/gallery.ts';
export type { SampleDecoder } from './train/sample-decoder.ts';
export type { SampleGrid } from './train/sample-grid.ts';
export { type Conditioning, conditioningOf } from './train/conditioning.ts';
export { loadWeights } from './train/restore.ts';
export { averagedWeights } from './train/state.ts';
export type { OwnFlow } from './train/objective.ts';
export { type OwnModel, createModel, createSampleModel } from './train/create-model.ts';

// Data: a source in memory, or one of your own.
export { type ArrayOptions, arraySource } from './data/arrays.ts';
export { type LatentRecord, latentRecordOf, toLatents } from './data/latents.ts';
export type { LatentScale } from './tensor/latent-scale.ts';
export { type Batch, Loader, type LoaderOptions } from './data/loader.ts';
export type { SampleSizes } from './data/sample-sizes.ts';
export type {
  Annotation,
  Captions,
  ImageShape,
  PairedBy,
  Placement,
  ReadKey,
  Source,
  SourceFacts,
} from './data/source.ts';

// Models.
export { DiT } from './models/dit.ts';
export type { DiTConfig } from './models/dit-config.ts';
export { ExpressionDiT } from './models/expression-dit.ts';
export type { ExpressionDiTConfig } from './models/expression-dit-config.ts';
export { TextDiT } from './models/text-dit.ts';
export type { TextDiTConfig } from './models/text-dit-config.ts';
export {
  type ConditionSpec,
  type Conditions,
  type SampleModel,
  type VelocityModel,
  type VelocityModel as Model,
  labelCondition,
} from './models/model.ts';
export {
  type Autoencoder,
  type AutoencoderCost,
  type Posterior,
  drawLatents,
  posteriorDivergence,
} from './models/autoencoders/autoencoder.ts';
export type { AutoencoderConfig, KLConfig, TinyConfig } from './models/autoencoders/config.ts';
export { createAutoencoder } from './models/autoencoders/create.ts';
export { AutoencoderModel } from './models/autoencoder-model.ts';
export {
  type CodecOptions,
  type DecodedLatents,
  type EncodedPictures,
  LatentCodec,
} from './latents/codec.ts';
export { type ParameterSpec, type Parameters, declareParameters } from './nn/parameters.ts';
export type { FixedTable } from './nn/fixed-table.ts';
export type { Module } from './nn/module.ts';
export * as initializers from './nn/initializers.ts';
export * as layers from './nn/layers.ts';

// Flow: objectives and samplers.
export { ddpm } from './flow/ddpm.ts';
export { rectifiedFlow } from './flow/rectified-flow.ts';
export type { Network, Objective, Pairs } from './flow/objective.ts';
export { FlowSampler, type FlowSamplerOptions } from './flow/sample.ts';
export type { ConditionValues, Evaluated, SampleOptions, SamplerSettings } from './flow/sample-request.ts';
export type { TimeDistribution, TimeSampler } from './flow/time-sampling.ts';

// A step of anything that has parameters: a task of your own, optimizers by group.
export type { LossBatch, SampleInput, Task, TaskLoss } from './train/task.ts';
export { type VelocityTask, velocityTask } from './train/velocity-task.ts';
export { type AutoencoderTask, autoencoderTask } from './train/autoencoder-task.ts';
export { type CompiledStep, type CompiledTraining, compileStep } from './train/compiled-step.ts';
export type { Communicator, RangedArray } from './train/ranks/communicator.ts';
export type { Ownership } from './train/ranks/ownership.ts';
export { StepPrograms } from './train/step-programs.ts';
export type { TrainingStep } from './train/step.ts';
export { initializeState } from './train/state.ts';

// Models that `rectiflow share` wrote, in a page.
export {
  type Card,
  type Difference,
  type ShareManifest,
  type SharedCells,
  type SharedData,
  checkManifest,
} from './share/manifest.ts';
export { type ShownCells, planeOf } from './share/cells.ts';
export { type CellOptions, type MadeCells, unscale } from './data/expression/denormalize.ts';
export { type NumberFormat } from './share/numbers.ts';
export { SharedModel } from './share/open.ts';
export { type ReadFile, type ReadShareOptions, type SharedFiles, filesAt, readShare } from './share/read.ts';

// Optimisation.
export { type AdamWSettings, adamw, adamwDefaults, adamwGroups } from './optim/adamw.ts';
export type { Optimizer, ParameterGroup, Retrace, Slot } from './optim/optimizer.ts';
export { type LearningRateSchedule, learningRate } from './optim/schedule.ts';
export { type Average, type EmaSettings, emaWeight } from './optim/ema.ts';
export { type Combination, type PowerProfile, combineProfiles } from './optim/post-hoc.ts';

// Programs of tensors, and what runs them.
export * as ops from './ops/index.ts';
export { type MemoryPlan, Program, grad, lower, planMemory, trace } from './program/index.ts';
export type {
  Backend,
  Buffer,
  Buffers,
  DeviceNeeds,
  Disposable,
  Executable,
  Finding,
  Precision,
  StateWatch,
} from './backends/backend.ts';
export type {
  DeviceFacts,
  DeviceLimits,
  FixedTuning,
  GpuSource,
  WebGpuBackend,
  WebGpuExecutable,
  WebGpuOptions,
} from './backends/webgpu/contract.ts';
export { DeviceLostError, DeviceMemoryError } from './backends/device-errors.ts';
export { webGpuBackend } from './backends/webgpu/open.ts';
export {
  type KernelResponse,
  type KernelSource,
  type WasmBackend,
  type WasmExecutable,
  wasmBackend,
} from './backends/wasm/index.ts';
export type { NodeTime, OpTime, Profile } from './backends/profile.ts';
export { type ReferenceOptions, referenceBackend } from './backends/reference/index.ts';
export type { DType, HostArray } from './tensor/dtype.ts';
export { type ErrorCode, RectiflowError } from './tensor/errors.ts';
export type { Shape } from './tensor/shape.ts';
export type { StoredTensor, StoredTensors } from './tensor/stored-tensor.ts';
export type { Graph, Node, Tensor, TensorType } from './tensor/tensor.ts';
