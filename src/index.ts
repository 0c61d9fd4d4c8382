// The library: what the command line does as functions, and what they are made of beside the core, which is a part of it.
export * from './core.ts';

// What the command line does.
export { type TrainOptions, resume, train } from './api/train.ts';
export { type SampleRunOptions, sample } from './api/sample.ts';
export type { Samples } from './runner/samples/samples.ts';
export { type SamplePathOptions, samplePath } from './api/sample-path.ts';
export type { PathOfSample } from './runner/samples/path-of-sample.ts';
export type { Way } from './flow/velocity-path.ts';
export { type SteerOptions, steerRun } from './api/steer.ts';
export { type Replay, type ReplayOptions, type ReplayedStep, replay } from './api/replay.ts';
export {
  type CheckpointDigests,
  type Reproduction,
  type ReproductionOptions,
  recordReproduction,
} from './api/repro.ts';
export type { DataDigest } from './check/digest.ts';
export { writeSamples } from './runner/samples/write-samples.ts';
export type { WrittenSamples } from './runner/samples/written-samples.ts';
export { type LearnPairsOptions, learnPairs } from './api/reflow/learn-pairs.ts';
export { type MadePairs, type MakePairsOptions, makePairs } from './api/reflow/make-pairs.ts';
export { type ReflowOptions, type Reflowed, reflow } from './api/reflow/reflow.ts';
export {
  type MeasuredStraightness,
  type StraightnessOptions,
  measureStraightness,
} from './api/straightness.ts';
export {
  type ReportStraightnessOptions,
  type StraightnessReport,
  reportStraightness,
} from './report/straightness.ts';
export { type CompareStepsOptions, type StepsComparison, compareSteps } from './report/compare-steps.ts';
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
export { type ShareOptions, type SharedRun, shareRun } from './api/share/run.ts';
export { type ConventionName, conventions } from './api/import/conventions.ts';
export type { ImportOptions } from './api/import/options.ts';
export { type ImportedRun, importRun } from './api/import/run.ts';
export { type GrowOptionsOfRun, type GrownRun, growRun } from './api/grow/run.ts';
export type { GrowthWanted } from './api/grow/config.ts';
export { type CheckpointLoss, checkpointLoss } from './runner/checkpoint-loss.ts';
export { configAt } from './known/stage-of.ts';
export { configOfStage } from './config/stages.ts';
export { type Beginning, beginFromWeights } from './api/begin-from-weights.ts';
export type { BeginningWeights } from './train/first-checkpoint.ts';
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
export { type EncodeDataOptions, encodeData } from './api/encode.ts';
export { verifyData } from './api/verify.ts';
export { type DecoderOptions, type LatentDecoder, withDecoder } from './api/decoder.ts';
export type { Check } from './api/doctor/check.ts';
export { type DiagnoseOptions, diagnose } from './api/doctor/diagnose.ts';
export { type PlanOptions, plan } from './api/plan/plan.ts';
export type { RunPlan } from './api/plan/result.ts';
export { type Machine, machines } from './api/plan/machines.ts';
export { measureCopying } from './api/plan/ranks/copying.ts';
export {
  type Constants as RankConstants,
  type Layout as RankLayout,
  type StepCost,
  type StepWork,
  constants as rankConstants,
  stepCost as stepOnRanks,
} from './api/plan/ranks/cost.ts';
export { type Link, linkOf } from './api/plan/ranks/links.ts';
export { type ScalePlan } from './api/plan/ranks/scaling.ts';
export { workOf } from './api/plan/ranks/work.ts';
export type { RunOptions } from './api/parts.ts';
export { type WatchOptions, type WatchServer, watchRuns } from './page/watch.ts';

// Runs: their settings, their folders, where their numbers go.
export type { ConfigInput, GrowthConfig, RunConfig, StageConfig } from './config/config.ts';
export { type LoadedConfig, loadConfig, recipeConfig } from './config/load-config.ts';
export { ParsedConfig, type ResolveOptions, resolveConfig } from './config/resolve-config.ts';
export type { Histogram } from './sinks/histogram.ts';
export type { MetricSink, SinkStart } from './sinks/metric-sink.ts';
export type { SinksConfig } from './sinks/settings.ts';
export { type ExpectedData, type Recipe, recipes } from './recipes/index.ts';
export type { RunRecord } from './kept/record.ts';
export { RunFolder, readRun } from './runs/run-folder.ts';
export { readMetrics } from './runs/metrics-log.ts';
export type { MetricsRecord } from './kept/metrics-lines.ts';
export { planTraining } from './train/plan-training.ts';
export { type PreparedRun, type TrainingOptions, prepareTraining } from './runner/prepare-run.ts';
export { openTrainer } from './runner/open-trainer.ts';
export type { OwnSinks } from './runner/run-folder-log.ts';

// Data, from files too; a source in memory has a fingerprint here.
export { openSource } from './api/open-source.ts';
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
} from './data/expression/denormalize.ts';
export type { ExpressionRecord } from './data/expression/record.ts';
export { parseExpressionRecord } from './sources/expression/record.ts';
export { openExpression } from './sources/expression/source.ts';
export { type ExpressionFile, writeExpression } from './sources/expression/write.ts';
export { type GridOptions, type ImageOptions, writeGrid, writeImage } from './pictures/image.ts';
export type { CaptionReport, TokenReport } from './check/caption-census.ts';
export type { DataReport, Duplicates, Finding as DataFinding, SizeReport } from './check/data-report.ts';
export type { LatentsManifest } from './sources/latents/manifest.ts';
export { type GotData, getData } from './sources/get-data.ts';
export type { Preview } from './pictures/preview.ts';
export { type Plot, type Series, svgPlot } from './pictures/plot.ts';
export type { PairsManifest } from './sources/pairs/manifest.ts';
export { verifyPairs } from './sources/pairs/verify.ts';
export { type PackOptions, packSource, verifyPack } from './sources/pack.ts';
export type { Manifest } from './sources/pack/manifest.ts';
export { bucketsOf, croppedShare, nearestBucket } from './sources/images/buckets.ts';
export type { BucketSettings, DataConfig, ImageSettings } from './sources/settings.ts';
export type { Told, Unused } from './data/told.ts';

// Autoencoders of files.
export {
  OpenAutoencoder,
  type OpenAutoencoderOptions,
  type ReadAutoencoder,
  type ReadAutoencoderOptions,
  openAutoencoder,
  readAutoencoder,
  writeAutoencoder,
} from './api/autoencoder.ts';
export { type AutoencoderNeeds, autoencoderNeeds } from './api/autoencoder-needs.ts';

// Models, flow, and a step without a trainer.
export type { Cost } from './models/cost.ts';
export { costOf, countParameters } from './models/model.ts';
export { presets } from './models/presets.ts';

export { type DiffusionSamplerName, diffusionSamplers } from './flow/diffusion-samplers.ts';
export type { LossWeighting } from './flow/loss-weighting.ts';
export { interpolate } from './flow/rectified-flow.ts';
export type { NoiseSchedule } from './flow/noise-schedule.ts';
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
export { type Draw, type RandomDraw, randomDraw } from './train/draw.ts';
export { runProgram } from './train/run-program.ts';
export { type Launch, findLaunch } from './distributed/launcher.ts';
export { type MpiCommunicator, type Traffic, connectRanks } from './distributed/mpi.ts';
export { findPatience } from './distributed/launcher.ts';
export { type Mpirun, findMpirun, mpirunArguments, mpirunEnvironment } from './distributed/mpirun.ts';
export { type MpiKind, mpiNames } from './distributed/native.ts';
export { type Share, shareOf } from './train/ranks/share.ts';
export { stepPrograms } from './train/step-shapes.ts';
export type { CheckpointNotes } from './train/checkpoint-notes.ts';
export { type LastCheckpoint, Saver, type SaverOptions } from './train/saver.ts';
export { Snapshot } from './train/snapshot.ts';
export { allocateState } from './train/state.ts';
export type { TrainingLoss } from './train/loss.ts';
export { trainingStepProgram } from './train/step.ts';

// Backends, and files of tensors.
export { type BackendChoice, type ChosenBackend, chooseBackend } from './backends/choose.ts';
export { nodeWebGpuBackend } from './backends/node-gpu.ts';
export {
  type CpuBackend,
  type CpuExecutable,
  type CpuOptions,
  type Isa,
  cpuBackend,
  cpuIsas,
} from './backends/cpu/index.ts';

export { type ActivationMemory, type GradOptions, emulateFloat16, mixedPrecision } from './program/index.ts';

export type { SafetensorsContents } from './formats/safetensors.ts';
export { readSafetensors, writeSafetensors } from './formats/safetensors-file.ts';
export { version } from './host/machine.ts';
