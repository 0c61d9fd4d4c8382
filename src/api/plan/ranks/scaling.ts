// How far a run goes with more ranks: a row for each number of them, where they stop paying, and what would help.
import { grouped } from '../../../tensor/counted.ts';
import type { Wire } from '../../../train/ranks/communicator.ts';
import type { TrainConfig } from '../../../train/settings.ts';
import { type Layout, type StepCost, type StepWork, stepCost } from './cost.ts';
import type { Link } from './links.ts';

/** One number of ranks. */
export interface RankScale {
  readonly ranks: number;
  readonly machines: number;
  /** Seconds of a step, by parts. */
  readonly cost: StepCost;
  readonly samplesPerSecond: number;
  /** The share of what as many machines would do, each alone. */
  readonly efficiency: number;
  /** Bytes of a rank's weights, moments, averages and sums of gradients. */
  readonly state: number;
}

export interface ScalePlan {
  readonly link: Link;
  readonly ranksPerHost: number;
  readonly shards: number;
  readonly wire: Wire;
  readonly rows: readonly RankScale[];
  /** The fewest ranks, of powers of two up to the shards, that reach less than half of what as many machines would. */
  readonly belowHalf: number | undefined;
  /** The fewest, of these, of which twice as many are not even 1.3 times as fast. */
  readonly lastDoubling: number | undefined;
  /** What would make the most ranks that were asked for reach more. */
  readonly remedies: readonly Remedy[];
}

export interface Remedy {
  /** A change, as in `a batch of 512`. */
  readonly what: string;
  /** Efficiency with it. */
  readonly efficiency: number;
}

export interface Scaling {
  readonly train: Pick<TrainConfig, 'batchSize' | 'shards'>;
  readonly ranks: readonly number[];
  readonly link: Link;
  readonly ranksPerHost: number;
  /** What gradients travel as. */
  readonly wire: Wire;
  /** What a rank would do alone, by how many there are on its machine. */
  readonly work: (onMachine: number) => StepWork;
  readonly machine: Pick<Layout, 'cores' | 'copying'>;
  /** Bytes of a rank's state. */
  readonly state: (ranks: number) => number;
}

/** Less of what as many machines would do is not worth them. */
const half = 0.5;
/** Twice as many ranks should be so many times as fast. */
const worthDoubling = 1.3;
/** Changes that are tried: batches so many times as large, and a link so many times as fast. */
const [largestBatch, fasterLink] = [64, 10];

export function reckonScaling(scaling: Scaling): ScalePlan {
  const { train, ranks, link, ranksPerHost, wire, state } = scaling;
  const { batchSize, shards = 1 } = train;
  const rows = ranks.map((count): RankScale => {
    const { cost, efficiency, machines } = reckon(scaling, count);
    const samplesPerSecond = batchSize / cost.total;
    return { ranks: count, machines, cost, samplesPerSecond, efficiency, state: state(count) };
  });
  const powers = powersOfTwo(shards);
  const seconds = powers.map((count) => reckon(scaling, count).cost.total);
  const last = rows.reduce((a, b) => (b.ranks > a.ranks ? b : a));
  return {
    link,
    ranksPerHost,
    shards,
    wire,
    rows,
    belowHalf: powers.find((count) => reckon(scaling, count).efficiency < half),
    // Ranks that share a machine share its cores.
    lastDoubling: powers.find(
      (count, i) =>
        count >= ranksPerHost && i + 1 < powers.length && seconds[i]! < worthDoubling * seconds[i + 1]!,
    ),
    remedies: last.efficiency < half ? remediesOf(scaling, last) : [],
  };
}

/** Numbers of ranks that shards can be shared out to evenly, from 1 on. */
export function powersOfTwo(shards = 1): number[] {
  return Array.from({ length: Math.floor(Math.log2(shards)) + 1 }, (_, i) => 2 ** i);
}

/** What is changed of a run. */
interface Changes {
  /** How many times as many samples. */
  readonly batch?: number;
  readonly link?: Link;
  readonly wire?: Wire;
}

function reckon(
  { link, ranksPerHost, wire, work, machine }: Scaling,
  ranks: number,
  changes: Changes = {},
): { readonly cost: StepCost; readonly efficiency: number; readonly machines: number } {
  const { batch = 1 } = changes;
  const onMachine = Math.min(ranks, ranksPerHost);
  const machines = Math.ceil(ranks / ranksPerHost);
  const larger = (of: StepWork): StepWork => ({ ...of, step: (of.step - of.update) * batch + of.update });
  const cost = stepCost(larger(work(onMachine)), {
    ...machine,
    ranks,
    perMachine: ranksPerHost,
    threads: threadsOf(machine.cores, onMachine),
    link: changes.link ?? link,
    wire: changes.wire ?? wire,
  });
  return { cost, machines, efficiency: larger(work(1)).step / (machines * cost.total) };
}

/** Of each rank of a machine, among which its cores are divided. */
export function threadsOf(cores: number, onMachine: number): number {
  return Math.max(1, Math.floor(cores / onMachine));
}

function remediesOf(scaling: Scaling, { ranks, efficiency: now }: RankScale): Remedy[] {
  const { train, link, wire } = scaling;
  const reached = (changes: Changes): number => reckon(scaling, ranks, changes).efficiency;
  let batch = 2;
  while (batch < largestBatch && reached({ batch }) < half) batch *= 2;
  const faster = { ...link, name: `${fasterLink} times the link`, bandwidth: fasterLink * link.bandwidth };
  const tried: Remedy[] = [
    {
      what: `a batch of ${grouped(batch * train.batchSize)} (train.batchSize; the learning rate has to fit it)`,
      efficiency: reached({ batch }),
    },
    { what: `a link ${fasterLink} times as fast`, efficiency: reached({ link: faster }) },
    ...(wire === 'bf16' ? [] : [{ what: 'train.wire=bf16', efficiency: reached({ wire: 'bf16' }) }]),
  ];
  return tried
    .filter(({ efficiency }) => efficiency > 1.05 * now)
    .toSorted((a, b) => b.efficiency - a.efficiency);
}
