// A run on many ranks: what is measured of it here, and what is reckoned from that.
import type { Backend } from '../../../backends/backend.ts';
import type { RunConfig } from '../../../config/config.ts';
import type { Source } from '../../../data/source.ts';
import { type SampleModel, countParameters } from '../../../models/model.ts';
import type { OwnModel } from '../../../train/create-model.ts';
import { divide } from '../../../train/division.ts';
import { estimateMemory } from '../../../train/memory-estimate.ts';
import type { OwnFlow } from '../../../train/objective.ts';
import type { SampleDecoder } from '../../../train/sample-decoder.ts';
import { shareOf } from '../../../train/ranks/share.ts';
import type { MemoryPlan } from '../memory.ts';
import type { StepWork } from './cost.ts';
import type { RankSetup } from './request.ts';
import { type ScalePlan, powersOfTwo, reckonScaling } from './scaling.ts';
import { coresOf, stepsByRanks, workOf } from './work.ts';

export interface Team {
  readonly config: RunConfig;
  readonly backend: Backend;
  readonly model: SampleModel;
  readonly source: Source;
  readonly own: OwnFlow & OwnModel;
  readonly decoder: SampleDecoder | undefined;
  readonly memory: MemoryPlan;
  /** Seconds of a step in one process. */
  readonly step: number;
  /** Whether that was timed of the very run, and can be with fewer threads. */
  readonly isTimed: boolean;
  /** Bytes per second that a core copies. */
  readonly copying: number;
  /** For timing. */
  readonly seconds: number;
  readonly signal?: AbortSignal | undefined;
}

/** What one process does of a step. */
export function workOfTeam({ config, model, memory, copying, step }: Team): StepWork {
  const { train, ema } = config;
  return workOf({
    step,
    parameters: countParameters(model),
    averages: ema.decays.length + ema.power.length,
    parts: divide({ batch: train.batchSize, shards: train.shards }, memory.microBatch).parts,
    copying,
  });
}

export async function planScaling(setup: RankSetup, team: Team): Promise<ScalePlan> {
  const { config, backend, source, own, decoder, isTimed, seconds, signal } = team;
  const { train } = config;
  const onMachine = [...setup.ranks, ...powersOfTwo(train.shards)].map((count) =>
    Math.min(count, setup.ranksPerHost),
  );
  const cores = coresOf(backend);
  const steps = await stepsByRanks(
    onMachine,
    { alone: team.step, cores },
    {
      training: isTimed ? { config, source, decoder, ...own } : undefined,
      signal,
      seconds: seconds / 2,
    },
  );
  return reckonScaling({
    ...setup,
    train,
    wire: train.wire ?? 'fp32',
    work: (count) => workOfTeam({ ...team, step: steps(count) }),
    machine: { cores, copying: team.copying },
    state: (ranks) => stateOf(ranks, team),
  });
}

/** Bytes of the state of the first of so many ranks. */
function stateOf(ranks: number, { config, backend, model, source, own, memory }: Team): number {
  const { state } = estimateMemory({
    ...own,
    config,
    backend,
    model,
    source,
    microBatch: memory.microBatch,
    share: shareOf(config.train, { rank: 0, ranks }),
  });
  return state;
}
