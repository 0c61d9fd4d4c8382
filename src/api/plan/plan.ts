// What a run will take, before it: time, memory, disk and operations, on this machine and on others.
import type { Backend } from '../../backends/backend.ts';
import type { ConfigInput, RunConfig } from '../../config/config.ts';
import { ParsedConfig } from '../../config/resolve-config.ts';
import type { Source } from '../../data/source.ts';
import type { DataConfig } from '../../sources/settings.ts';
import { countParameters } from '../../models/model.ts';
import type { ExpectedData } from '../../recipes/index.ts';
import { grouped } from '../../tensor/counted.ts';
import { valueError } from '../../tensor/errors.ts';
import { type OwnModel, createSampleModel } from '../../train/create-model.ts';
import type { OwnFlow } from '../../train/objective.ts';
import { type SampleDecoder, shownShape } from '../../train/sample-decoder.ts';
import { assumedSource, describeAssumed } from '../assumed-source.ts';
import { withDecoder } from '../decoder.ts';
import { freeDisk } from '../doctor/machine.ts';
import { type RunOptions, withBackend, withSource } from '../parts.ts';
import { autoencoderOfData } from '../run-autoencoder.ts';
import { diskOf } from './disk.ts';
import { kernelTime, planMachines } from './elsewhere.ts';
import { flopsOf } from './flops.ts';
import { type HereTimes, timeHere } from './here.ts';
import { type Machine, assumedUtilisation, machineOf, thisLink, thisMachine } from './machines.ts';
import { planMemory } from './memory.ts';
import { measureCopying } from './ranks/copying.ts';
import { type RankRequest, type RankSetup, configForRanks, rankSetup } from './ranks/request.ts';
import { type Team, planScaling, workOfTeam } from './ranks/team.ts';
import { coresOf } from './ranks/work.ts';
import type { RunPlan } from './result.ts';
import { type StagePlan, stageConfigs, sumStages } from './stages.ts';
import { planRanks, planSizes } from './tables.ts';
import { type Workload, workloadOf } from './workload.ts';

export interface PlanOptions
  extends OwnFlow, OwnModel, RankRequest, Pick<RunOptions, 'signal' | 'source' | 'backend' | 'onNotice'> {
  /** How errors call the config: a file, a recipe. */
  readonly origin?: string;
  /** Where the run's folder would be made; `runs` by default. */
  readonly runs?: string;
  /** What the data would be, where the config does not name them. */
  readonly absent?: ExpectedData | undefined;
  /** The machine that the tables of sizes and of ranks are for: one of `machines`, or `this`, the default. */
  readonly machine?: string | undefined;
  /** The share of their peak that other machines are taken to reach, above 0, at most 1; 0.4 by default. */
  readonly utilisation?: number | undefined;
  /** About how long steps are timed; 15 by default, 0 for not at all. */
  readonly seconds?: number | undefined;
  /** Hears how far what is under way has come. */
  readonly onProgress?: (what: string, done: number, total: number) => void;
}

/**
 * Times a few steps, and says what a run will take. No folder of a run is made.
 * @throws RectiflowError where the config is wrong, the data are not there, no machine has that name, or a step cannot be shared out to
 * so many ranks; the signal's reason where that stopped it
 */
export async function plan(input: ConfigInput | ParsedConfig, options: PlanOptions = {}): Promise<RunPlan> {
  const { machine: named = thisMachine, utilisation = assumedUtilisation, seconds = 15 } = options;
  const machine = named === thisMachine ? undefined : machineOf(named);
  if (!(utilisation > 0 && utilisation <= 1))
    throw valueError('plan', 'utilisation', 'a number above 0, at most 1', utilisation);
  if (!(seconds >= 0 && seconds < Infinity)) throw valueError('plan', 'seconds', 'a number from 0', seconds);
  const parsed = configForRanks(ParsedConfig.of(input, options.origin), options.ranks);
  const began = performance.now();
  const { onBadSample } = parsed.reading.loader;
  const withOwn = async <T>(data: DataConfig, use: (source: Source) => Promise<T>): Promise<T> => {
    const source = options.source ?? (options.absent && (await assumedSource(data, options.absent)));
    return withSource(data, { ...options, source, onBadSample }, use);
  };
  return withOwn(parsed.data, (source) => {
    const config = parsed.resolve(source);
    const setup = rankSetup(options, config.train, machine);
    const shared = { machine, setup, utilisation, seconds, options };
    const isRank = options.ranks !== undefined;
    return withBackend(config, { ...options, isRank }, async (backend) => {
      const stages: StagePlan[] = [];
      for (const stage of stageConfigs(config)) {
        const planned = await withOwn(stage.data, (own) =>
          withPictures({ ...shared, began: performance.now(), config: stage, source: own, backend }),
        );
        const { imageSize, patchSize } = config.stages[stages.length]!;
        stages.push({ imageSize, patchSize, plan: planned });
      }
      if (stages.length > 0) return sumStages(config, stages);
      return withPictures({ ...shared, began, config, source, backend });
    });
  });
}

/** With what makes pictures of the samples, where they are latents. */
async function withPictures(parts: Omit<Parts, 'decoder'>): Promise<RunPlan> {
  const { config, source, backend, options } = parts;
  // In half precision the rounding would be seen.
  const shared = options.backend ?? (backend.precision === 'fp32' ? backend : undefined);
  const path = autoencoderOfData(config.data);
  return withDecoder(config, { path, facts: source, of: source.name, backend: shared }, (decoder) =>
    planWith({ ...parts, decoder }),
  );
}

interface Parts {
  readonly config: RunConfig;
  readonly source: Source;
  readonly backend: Backend;
  readonly decoder: SampleDecoder | undefined;
  readonly machine: Machine | undefined;
  readonly setup: RankSetup | undefined;
  readonly utilisation: number;
  readonly seconds: number;
  /** When the data began to be opened. */
  readonly began: number;
  readonly options: PlanOptions;
}

async function planWith(parts: Parts): Promise<RunPlan> {
  const { source, backend, decoder, machine, setup, utilisation, seconds, options } = parts;
  const { runs = 'runs', absent, signal, onNotice, onProgress } = options;
  const own = { objective: options.objective, timeSampler: options.timeSampler, model: options.model };
  const config = { ...parts.config, train: { ...parts.config.train, precision: backend.precision } };
  const { train } = config;
  const opening = (performance.now() - parts.began) / 1000;
  const model = createSampleModel(config.model, undefined, own);
  const parameters = countParameters(model);
  const showsPictures = shownShape(model.sampleShape, source.record, decoder) !== undefined;
  const work = workloadOf(config, showsPictures);
  const flops = flopsOf({ config, model, source, work, own });
  const memory = planMemory({ ...own, config, backend, decoder, model, source });
  const assumptions = assumptionsOf(absent, utilisation);
  const peak = await measurePeak(backend);
  const here = await timeHere({
    config,
    backend,
    source,
    own,
    decoder,
    memory,
    flops,
    peak,
    seconds,
    runs,
    opening,
    signal,
    onNotice,
    onProgress,
    onAssumed: (text) => assumptions.push(text),
  });
  signal?.throwIfAborted();
  const speed = flops.step / here.step;
  const elsewhere = await planMachines({ ...parts, backendName: backend.name, model, own, work });
  const chosen = elsewhere.find(({ name }) => name === machine?.name);
  const basis = { speed: chosen ? chosen.peak * utilisation : speed, link: machine?.link ?? thisLink };
  const sizes = planSizes({ config, backend, own, microBatch: memory.microBatch, speed: basis.speed });
  const team: Team = {
    config,
    backend,
    model,
    source,
    own,
    decoder,
    memory,
    step: chosen?.step ?? here.step,
    isTimed: chosen === undefined && here.by === 'run' && options.backend === undefined,
    // Devices have engines of their own for what cores copy.
    copying: chosen ? Infinity : measureCopying(),
    seconds,
    signal,
  };
  const ranks = planRanks({
    batchSize: train.batchSize,
    steps: train.steps,
    work: workOfTeam(team),
    machine: { link: basis.link, cores: coresOf(backend), copying: team.copying },
  });
  const scale = setup && (await planScaling(setup, team));
  return {
    name: config.name,
    data: {
      name: source.name,
      samples: source.count,
      epochs: (train.steps * train.batchSize) / source.count,
      loading: here.loading,
      needed: train.batchSize / here.step,
      waiting: here.waiting,
    },
    model: { parameters },
    training: {
      ...work,
      batchSize: train.batchSize,
      microBatch: memory.microBatch,
      precision: backend.precision,
      recompute: train.memory === 'recompute',
    },
    backend: backend.describe(),
    flops,
    memory,
    disk: diskOf(config, work, {
      checkpoint: memory.estimate.checkpoint,
      pictures: here.pictures,
      line: here.line,
      parameters,
      free: await freeDisk(runs),
    }),
    time: { ...here, ...totalsOf(here, work), speed, utilisation: peak && speed / peak.flops },
    machines: elsewhere,
    utilisation,
    basis: { machine: machine?.name ?? thisMachine, speed: basis.speed, link: basis.link.name },
    sizes,
    ranks,
    ...(scale && { scale }),
    assumptions,
  };
}

async function measurePeak(backend: Backend): Promise<{ flops: number; seconds: number } | undefined> {
  const began = performance.now();
  const flops = await backend.measurePeak?.();
  return flops === undefined ? undefined : { flops, seconds: (performance.now() - began) / 1000 };
}

function totalsOf(here: HereTimes, work: Workload): Pick<RunPlan['time'], 'steps' | 'beside' | 'total'> {
  const steps = here.step * work.steps;
  const beside =
    here.logging * work.logged +
    here.heldOut * work.heldOut +
    here.grid * work.grids +
    here.checkpoint * work.checkpoints;
  return { steps, beside, total: here.start + steps + beside };
}

/** What is not measured whatever is asked for. */
function assumptionsOf(absent: ExpectedData | undefined, utilisation: number): string[] {
  const share = `${Math.round(100 * utilisation)} % of the dense products that their makers state`;
  const ofData = absent
    ? [
        `the data were not there: ${absent.name} with ${grouped(absent.count)} images in ${grouped(absent.classes)} classes was assumed, and ${describeAssumed}`,
      ]
    : [];
  return [
    ...ofData,
    `other machines are taken to reach ${share}, to begin kernels ${1e6 * kernelTime} µs apart at least, and to read data as fast as that asks for`,
    'memory of other machines is that of the same programs in the precision named, with 1 GiB for the driver and a twentieth left free',
    'tables of sizes and ranks take each operation, and each sample, to be as fast as those of the run',
    'ranks send 2 (R - 1) / R times the bytes of their gradients in each step, and work while cores and links have time for both',
  ];
}
