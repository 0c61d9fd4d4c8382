// What a plan tells.
import type { Precision } from '../../backends/backend.ts';
import type { DiskPlan } from './disk.ts';
import type { MachinePlan } from './elsewhere.ts';
import type { FlopsPlan } from './flops.ts';
import type { HereTimes } from './here.ts';
import type { MemoryPlan } from './memory.ts';
import type { ScalePlan } from './ranks/scaling.ts';
import type { RankPlan, SizePlan } from './tables.ts';
import type { StagePlan } from './stages.ts';
import type { Workload } from './workload.ts';

/** Bytes and seconds, where nothing else is said. */
export interface RunPlan {
  readonly name: string;
  readonly data: {
    readonly name: string;
    readonly samples: number;
    /** Passes over them. */
    readonly epochs: number;
    /** Samples per second that can be read here, and that training asks for. */
    readonly loading: number;
    readonly needed: number;
    readonly waiting: number | undefined;
  };
  readonly model: { readonly parameters: number };
  readonly training: Workload & {
    readonly batchSize: number;
    readonly microBatch: number;
    readonly precision: Precision;
    /** Whether blocks are computed again in the backward pass. */
    readonly recompute: boolean;
  };
  readonly backend: string;
  readonly flops: FlopsPlan;
  readonly memory: MemoryPlan;
  readonly disk: DiskPlan;
  readonly time: HereTimes & {
    /** Of all steps, and of all that is done beside them. */
    readonly steps: number;
    readonly beside: number;
    readonly total: number;
    /** Floating-point operations per second that training reaches, and the share of the machine's products; where that is known. */
    readonly speed: number;
    readonly utilisation: number | undefined;
  };
  /** Of others, all at one assumed share of their peak. */
  readonly machines: readonly MachinePlan[];
  readonly utilisation: number;
  /** What the tables below are for. */
  readonly basis: { readonly machine: string; readonly speed: number; readonly link: string };
  readonly sizes: readonly SizePlan[];
  readonly ranks: readonly RankPlan[];
  /** Of the very run, with the numbers of ranks that were asked for. */
  readonly scale?: ScalePlan;
  /** Of a run of stages: what each of them takes. */
  readonly stages?: readonly StagePlan[];
  /** What was not measured, each a sentence. */
  readonly assumptions: readonly string[];
}
