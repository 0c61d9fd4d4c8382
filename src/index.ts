// The library. A few functions do what the command line does; below them is all that they are made of.
export { type TrainOptions, resume, train } from './api/train.ts';
export { type SampleRunOptions, type Samples, sample } from './api/sample.ts';
export { type Replay, type ReplayOptions, type ReplayedStep, replay } from './api/replay.ts';
export {
  type CheckpointDigests,
  type Reproduction,
  type ReproductionOptions,
  recordReproduction,
} from './api/repro.ts';
export type { DataDigest } from './check/digest.ts';
export { writeSamples } from './report/write-samples.ts';
export type { WrittenSamples } from './report/written-samples.ts';
export { type AverageOptions, type WrittenAverage, averageRun } from './api/average.ts';
export { type WeightsChoice, readWeights } from './api/weights.ts';
export { type ExpressionComparison, compareRun } from './report/compare.ts';
export {
  type CompareObjectivesOptions,
  type ObjectiveComparison,
  compareObjectives,
} from './report/compare-objectives.ts';
export type { MeasuredObjective, ObjectiveRow } from './report/measured-objectives.ts';
export type { WrittenComparison } from './report/write-comparison.ts';
export type { ExportLayout } from './api/export/layouts.ts';
export { type ExportOptions, exportRun } from './api/export/run.ts';
export { type ConventionName, conventions } from './api/import/conventions.ts';
export type { ImportOptions } from './api/import/options.ts';
export { type ImportedRun, importRun } from './api/import/run.ts';
export { type ModelCost, type TrainingMemory, modelCost } from './api/cost.ts';
export {
  type DataOptions,
  type EncodeTextOptions,
  type PackDataOptions,
  type PreviewDataOptions,
  checkData,
  encodeText,
  packData,
  previewData,
} from './api/data.ts';
export type { Check } from './api/doctor/check.ts';
export { type DiagnoseOptions, diagnose } from './api/doctor/diagnose.ts';
export type { RunOptions } from './api/parts.ts';

export type { ConfigInput, RunConfig } from './config/config.ts';
export type { ModelConfig } from './train/settings.ts';
export { type OwnModel, createModel } from './train/create-model.ts';
export { loadConfig, recipeConfig } from './config/load-config.ts';
export { type ResolveOptions, resolveConfig } from './config/resolve-config.ts';
export type { Histogram } from './sinks/histogram.ts';
export type { MetricSink, SinkStart } from './sinks/metric-sink.ts';
export type { RunOutcome } from './train/run-log.ts';
export type { SinksConfig } from './sinks/settings.ts';
export { type Recipe, recipes } from './recipes/index.ts';
export type { StepMetrics, TrainObserver, TrainResult, TrainStart } from './train/metrics.ts';
export { openSource } from './api/open-source.ts';
export type { MemoryEstimate, MemoryParts } from './train/memory-estimate.ts';
export { type TrainingPlan, planTraining } from './train/plan-training.ts';
export type { PreparedTraining } from './train/prepare.ts';
export { type TrainingOptions, prepareTraining } from './runner/prepare-run.ts';
export type { Facts, Reading, ValueRange, WatchedConfig } from './train/monitor/detector.ts';
export { Monitor } from './train/monitor/monitor.ts';
export { explainNonFinite } from './train/monitor/non-finite.ts';
export { Trainer } from './train/trainer.ts';

export type { ArrayOptions } from './data/arrays.ts';
export { arraySource } from './sources/arrays.ts';
export { type DigitsOptions, digitsSource } from './sources/digits.ts';
export {
  type Agreement,
  type CellComparison,
  type CellSet,
  type GroupComparison,
  compareExpression,
} from './report/expression/compare.ts';
export {
  type CellOptions,
  type MadeCells,
  denormalize,
  normalizeCounts,
  toCells,
  toCounts,
} from './sources/expression/denormalize.ts';
export { type ExpressionRecord, parseExpressionRecord } from './sources/expression/record.ts';
export { openExpression } from './sources/expression/source.ts';
export { type ExpressionFile, writeExpression } from './sources/expression/write.ts';
export { type GridOptions, type ImageOptions, writeGrid, writeImage } from './pictures/image.ts';
export type { CaptionReport, TokenReport } from './check/caption-census.ts';
export type { DataReport, Duplicates, Finding as DataFinding } from './check/data-report.ts';
export { type GotData, getData } from './sources/get-data.ts';
export type { Preview } from './pictures/preview.ts';
export { type Plot, type Series, svgPlot } from './pictures/plot.ts';
export { type PackOptions, packSource, verifyPack } from './sources/pack.ts';
export type { Manifest } from './sources/pack/manifest.ts';
export type { DataConfig, ImageSettings } from './sources/settings.ts';
export { type Batch, Loader, type LoaderOptions } from './data/loader.ts';
export type { Annotation, Captions, ImageShape, ReadKey, Source, SourceFacts } from './data/source.ts';
export type { Told, Unused } from './data/told.ts';

export { DiT } from './models/dit.ts';
export type { DiTConfig } from './models/dit-config.ts';
export { ExpressionDiT } from './models/expression-dit.ts';
export type { ExpressionDiTConfig } from './models/expression-dit-config.ts';
export { type Cost, costPerCell, costPerImage } from './models/cost.ts';
export {
  type ConditionSpec,
  type Conditions,
  type VelocityModel,
  type VelocityModel as Model,
  costOf,
  countParameters,
  labelCondition,
} from './models/model.ts';
export { parsePreset, presets } from './models/presets.ts';
export { type ParameterSpec, type Parameters, declareParameters, initialValue } from './nn/parameters.ts';
export type { FixedTable } from './nn/fixed-table.ts';
export type { Module } from './nn/module.ts';
export * as initializers from './nn/initializers.ts';
export * as layers from './nn/layers.ts';

export { ddpm } from './flow/ddpm.ts';
export { type DiffusionSamplerName, diffusionSamplers } from './flow/diffusion-samplers.ts';
export { guide } from './flow/guidance.ts';
export { type LossWeighting, lossWeights } from './flow/loss-weighting.ts';
export { type Network, type Objective, type Pairs, meanLoss } from './flow/objective.ts';
export { interpolate, rectifiedFlow, velocityTarget } from './flow/rectified-flow.ts';
export { type NoiseSchedule, alphaBars } from './flow/noise-schedule.ts';
export { FlowSampler, type FlowSamplerOptions } from './flow/sample.ts';
export type { ConditionValues, SampleOptions, SamplerSettings } from './flow/sample-request.ts';
export type {
  AdaptiveSettings,
  Integration,
  Integrator,
  Space,
  Step,
  StochasticSettings,
  TakeStep,
  Values,
  Velocity,
} from './flow/integrator.ts';
export { type FixedSteps, fixedSteps } from './flow/fixed-steps.ts';
export { type AnySamplerName, type SamplerName, samplers } from './flow/samplers.ts';
export { shiftTime } from './flow/time-shift.ts';
export { type TimeDistribution, type TimeSampler, sampleTimes } from './flow/time-sampling.ts';
export { type Draw, type RandomDraw, randomDraw } from './train/draw.ts';
export type { OwnFlow } from './train/objective.ts';
export type { OwnSinks } from './runner/run-folder-log.ts';
export { runProgram } from './train/run-program.ts';
export { type CheckpointNotes, type LastCheckpoint, Saver, type SaverOptions } from './train/saver.ts';
export { Snapshot } from './train/snapshot.ts';
export { allocateState, averagedWeights, initializeState } from './train/state.ts';
export type { TrainingLoss } from './train/loss.ts';
export { type TrainingStep, trainingStepProgram } from './train/step.ts';
export {
  type Average,
  type EmaSettings,
  type FurtherAverages,
  emaWeight,
  furtherAverages,
  powerWeight,
  powerOf,
} from './optim/ema.ts';
export { type Combination, type PowerProfile, combineProfiles } from './optim/post-hoc.ts';
export { averageWeights } from './train/averages.ts';
export { type Reconstruction, reconstructAverage } from './runs/stored-averages.ts';
export { type LearningRateSchedule, learningRate } from './optim/schedule.ts';

export type {
  Backend,
  Buffer,
  Buffers,
  Disposable,
  Executable,
  Finding,
  Precision,
} from './backends/backend.ts';
export { type BackendChoice, type ChosenBackend, chooseBackend } from './backends/choose.ts';
export {
  type CpuBackend,
  type CpuExecutable,
  type CpuOptions,
  type Isa,
  type NodeTime,
  type OpTime,
  type Profile,
  cpuBackend,
  cpuIsas,
} from './backends/cpu/index.ts';
export { type ReferenceOptions, referenceBackend } from './backends/reference/index.ts';

export * as ops from './ops/index.ts';
export {
  type ActivationMemory,
  type GradOptions,
  type MemoryPlan,
  Program,
  emulateFloat16,
  grad,
  lower,
  mixedPrecision,
  planMemory,
  trace,
} from './program/index.ts';
export type { DType, HostArray } from './tensor/dtype.ts';
export { type ErrorCode, RectiflowError } from './tensor/errors.ts';
export type { Shape } from './tensor/shape.ts';
export type { Graph, Node, Tensor, TensorType } from './tensor/tensor.ts';

export type { SafetensorsContents } from './formats/safetensors.ts';
export type { StoredTensor, StoredTensors } from './tensor/stored-tensor.ts';
export { readSafetensors, writeSafetensors } from './formats/safetensors-file.ts';
export { type RunRecord, RunFolder, readRun } from './runs/run-folder.ts';
export { type MetricsRecord, readMetrics } from './runs/metrics-log.ts';
export { version } from './host/machine.ts';
