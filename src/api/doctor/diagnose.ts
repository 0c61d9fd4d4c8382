// What can be known of a training before it begins.
import { type Isa, cpuIsas } from '../../backends/cpu/index.ts';
import { maySeekGpu } from '../../backends/choose-gpu.ts';
import { defaultThreads } from '../../backends/cpu/threads.ts';
import { lookForGpu } from '../../backends/node-gpu.ts';
import type { Source } from '../../data/source.ts';
import { machineMemory } from '../../host/machine-memory.ts';
import { counted } from '../../tensor/counted.ts';
import { type ErrorCode, RectiflowError } from '../../tensor/errors.ts';
import type { ConfigInput, RunConfig } from '../../config/config.ts';
import { captionMeter } from '../../check/caption-survey.ts';
import { type OwnModel, createSampleModel } from '../../train/create-model.ts';
import type { OwnFlow } from '../../train/objective.ts';
import { bytesTaken } from '../../train/memory-estimate.ts';
import { planTraining } from '../../train/plan-training.ts';
import { withTraining } from '../../runner/prepare-run.ts';
import { spanOf } from '../../runner/stages.ts';
import { configOfStage } from '../../config/stages.ts';
import { withoutData } from '../../config/load-config.ts';
import { ParsedConfig } from '../../config/resolve-config.ts';
import type { ExpectedData } from '../../recipes/index.ts';
import type { KnownData } from '../../known/known-data.ts';
import { assumedSource } from '../assumed-source.ts';
import { type RunOptions, withBackend, withSource } from '../parts.ts';
import { recordFindings } from '../record-findings.ts';
import type { Check } from './check.ts';
import { checkSource } from './data.ts';
import { checkGpu, describePeak } from './gpu.ts';
import {
  checkDisk,
  checkInstructions,
  checkKernels,
  checkMemory,
  checkNode,
  checkThreads,
  freeDisk,
} from './machine.ts';
import { checkOverfit } from './overfit.ts';
import { checkAverage, checkLearningRate } from './settings.ts';

export interface DiagnoseOptions
  extends OwnFlow, OwnModel, Pick<RunOptions, 'signal' | 'source' | 'backend' | 'onNotice'> {
  /** How errors call the config: a file, a recipe. */
  readonly origin?: string;
  /** Where the run's folder will be made; `runs` by default. */
  readonly runs?: string;
  /** Of a run that the config is of: what it knows of the data is compared with them. */
  readonly known?: KnownData | undefined;
  /** What the data would be, where the config does not name them: that fails, and all else is checked with these. */
  readonly absent?: ExpectedData | undefined;
  /** Told of each check as soon as it is done. */
  readonly onCheck?: (check: Check) => void;
  /** Hears how far the check that is under way has come. */
  readonly onProgress?: (what: string, done: number, total: number) => void;
  /** Most seconds to train on one batch; 45 by default. */
  readonly overfitSeconds?: number;
}

/**
 * Checks machine, data and settings of a training, and trains for some tens of steps on one batch. Nothing is written.
 * @returns all checks that could be made: what fails early keeps later ones from being made
 * @throws RectiflowError where the config is wrong; the signal's reason where that stopped it
 */
export async function diagnose(
  input: ConfigInput | ParsedConfig,
  options: DiagnoseOptions = {},
): Promise<Check[]> {
  const checks: Check[] = [];
  const tell = (...found: Check[]): void => {
    for (const check of found) {
      checks.push(check);
      options.onCheck?.(check);
    }
  };
  const parsed = ParsedConfig.of(input, options.origin);
  const { data } = parsed;
  const { absent } = options;
  const given = options.source ?? (absent && (await assumedSource(data, absent)));
  tell(checkNode(process.version));
  if (absent) tell({ name: 'data', status: 'fail', text: withoutData(absent) });
  try {
    // What is wrong with single samples is found when they are read.
    await withSource(data, { ...options, source: given, onBadSample: 'skip' }, (source) =>
      diagnoseWith(source, parsed, options, tell),
    );
  } catch (error) {
    // A set that cannot be opened is a finding like any other; a config that is wrong has no meaning to check.
    if (!(error instanceof RectiflowError) || !(error.code in failing)) throw error;
    tell({ name: failing[error.code]!, status: 'fail', text: error.message });
  }
  return checks;
}

/** The checks that an error of a code makes fail. */
const failing: Readonly<Partial<Record<ErrorCode, string>>> = {
  backend: 'kernels',
  memory: 'memory',
  data: 'data',
  file: 'data',
};

async function diagnoseWith(
  source: Source,
  parsed: ParsedConfig,
  options: DiagnoseOptions,
  tell: (...found: Check[]) => void,
): Promise<void> {
  const { runs = 'runs', signal, onProgress, overfitSeconds } = options;
  const { objective, timeSampler, model } = options;
  const own = { objective, timeSampler };
  const config = parsed.resolve(source);
  const asked = config.backend.name;
  const gpu = options.backend ? undefined : await gpuCheck(config);
  if (gpu) tell(gpu);
  if (gpu?.status === 'fail') return;
  const available = availableIsas();
  const kernels = checkKernels(asked, available instanceof RectiflowError ? available.message : undefined);
  // Of those of a GPU there is nothing to build.
  if (asked === 'cpu' || asked === 'reference') tell(kernels);
  const { onNotice: _, ...quiet } = options;
  await withBackend(config, quiet, async (backend) => {
    if (asked === 'auto' && backend.name !== 'webgpu') tell(kernels);
    if (backend.name === 'cpu') {
      const { isa, threads } = config.backend;
      const isas = available as readonly Isa[];
      tell(
        checkInstructions(isa === 'auto' ? isas[0] : isa, isas, backend.precision),
        checkThreads(threads === 'auto' ? defaultThreads() : threads, defaultThreads()),
      );
    }
    const peak = backend.name === 'webgpu' ? await backend.measurePeak?.() : undefined;
    if (peak !== undefined) tell(describePeak(peak));
    const plans = stagesOf(config).map((stage) => {
      const created = createSampleModel(stage.model, undefined, options);
      return planTraining({ config: stage, backend, model: created, source, ...own }, machineMemory);
    });
    const totals = plans.map(({ estimate }) => bytesTaken(estimate));
    const largest = plans[totals.indexOf(Math.max(...totals))]!;
    const { total, device } = largest.estimate;
    const fits = ofStage(plans.indexOf(largest), config, checkMemory(total, largest.available, device));
    const checkpoint = Math.max(...plans.map(({ estimate }) => estimate.checkpoint));
    tell(fits, checkDisk(checkpoint, await freeDisk(runs), config.train.keepCheckpoints + plans.length - 1));
    tell(checkLearningRate(configOfStage(config, 0)), checkAverage(config));
    if (options.absent) return;
    const samples = await checkSource(source, {
      onBadSample: config.loader.onBadSample,
      captions: config.model.kind === 'text-dit' ? await captionMeter(config.model.text, source) : undefined,
      signal,
      onProgress: (done, of) => onProgress?.('reading samples', done, of),
    });
    const recorded = await recordFindings(source, config, options.known);
    samples.push(...recorded.map(({ about, status, text }) => ({ name: about, status, text })));
    tell(...samples);
    if (fits.status === 'fail' || samples.some(({ name, status }) => name !== 'values' && status === 'fail'))
      return;
    const first = configOfStage(config, 0);
    const overfit = (ofFirst: Source): ReturnType<typeof checkOverfit> =>
      withTraining({ config: first, backend, source: ofFirst, model, ...own }, (training) =>
        checkOverfit(training, {
          signal,
          onProgress: (done, of) => onProgress?.('training on one batch', done, of),
          ...(overfitSeconds !== undefined && { seconds: overfitSeconds }),
        }),
      );
    const isOpen = first.data === config.data;
    const { check, secondsPerStep } = isOpen
      ? await overfit(source)
      : await withSource(first.data, { ...quiet, onBadSample: 'skip' }, overfit);
    tell(ofStage(0, config, check), ofStage(0, config, describeTime(secondsPerStep, config)));
  });
}

/** Undefined where the config leaves GPUs out. */
async function gpuCheck({ backend }: RunConfig): Promise<Check | undefined> {
  const isAsked = backend.name === 'webgpu';
  if (!isAsked && (backend.name !== 'auto' || !maySeekGpu(backend))) return undefined;
  return checkGpu(await lookForGpu(), isAsked);
}

function stagesOf(config: RunConfig): RunConfig[] {
  return config.stages.length === 0
    ? [config]
    : config.stages.map((_, index) => configOfStage(config, index));
}

/** A check of one stage says which, where there are several. */
function ofStage(index: number, { stages }: RunConfig, check: Check): Check {
  const stage = stages[index];
  return stage
    ? { ...check, text: `stage ${index + 1}, ${stage.imageSize.join('x')}: ${check.text}` }
    : check;
}

/** Later stages by what their steps cost beside those of the first. */
function describeTime(secondsPerStep: number, config: RunConfig): Check {
  const { train } = config;
  const span = spanOf(config, 0);
  const seconds = secondsPerStep * (span ? span.until + span.later : train.steps);
  const whole =
    seconds < 100
      ? `${Math.ceil(seconds)} s`
      : seconds < 5400
        ? `${(seconds / 60).toFixed(1)} minutes`
        : `${(seconds / 3600).toFixed(1)} hours`;
  const text = `${Number((1000 * secondsPerStep).toPrecision(2))} ms per step, so ${counted(train.steps, 'step')} take about ${whole}, without samples and checkpoints`;
  return { name: 'time', status: 'ok', text };
}

function availableIsas(): readonly Isa[] | RectiflowError {
  try {
    return cpuIsas();
  } catch (error) {
    if (error instanceof RectiflowError) return error;
    throw error;
  }
}
