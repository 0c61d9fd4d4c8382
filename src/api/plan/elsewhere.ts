// What a run would take on machines that are not here: time by the operations and an assumed share of the peak, and by the kernels that
// have to be begun; memory by the plans of the same programs.
import type { Backend } from '../../backends/backend.ts';
import { chooseBackend, chooseHost } from '../../backends/choose.ts';
import type { RunConfig } from '../../config/config.ts';
import type { SampleModel } from '../../models/model.ts';
import type { OwnModel } from '../../train/create-model.ts';
import { createSampleModel } from '../../train/create-model.ts';
import { type DataFacts, estimateMemory } from '../../train/memory-estimate.ts';
import type { OwnFlow } from '../../train/objective.ts';
import { allPrograms } from '../../train/step-programs.ts';
import { stepPrograms } from '../../train/step-shapes.ts';
import { type FlopsPlan, flopsOf } from './flops.ts';
import { type Machine, machines } from './machines.ts';
import type { Workload } from './workload.ts';

export interface MachinePlan {
  readonly name: string;
  /** Of the run: halves where the machine multiplies them faster, unless the config says float32. */
  readonly precision: 'bf16' | 'fp32';
  /** Floating-point operations per second, by its maker. */
  readonly peak: number;
  readonly source: string;
  /** Bytes that the machine has, and that training takes at its peak. */
  readonly memory: number;
  readonly needed: number;
  /** Samples that are computed at a time, as many as fit; undefined where not one does. */
  readonly microBatch: number | undefined;
  /** Whether blocks are computed again in the backward pass: because the config says so, or because nothing fits without. */
  readonly recompute: boolean;
  /** Of an optimizer step, and of all of them with the samples; in seconds. */
  readonly step: number;
  readonly total: number;
}

/** What a step takes beside its operations, by the samples that are computed at a time: bytes, and kernels. */
export interface StepModel {
  /** With all samples of a step at once, and with gradients that are added up. */
  readonly state: { readonly whole: number; readonly parts: number };
  readonly activations: (samples: number) => number;
  /** Of the program of a part, and of the one that ends a step in parts. */
  readonly kernels: { readonly part: number; readonly update: number };
}

/** Seconds from the beginning of one kernel to that of the next, at least. */
export const kernelTime = 5e-6;
/** What drivers and libraries take on a device, about. */
const ofDevice = 2 ** 30;
/** The share of a device's memory that is used: allocators leave gaps. */
const usable = 0.95;

export interface StepModelOptions {
  readonly config: RunConfig;
  /** For its plans alone: nothing is run on it. */
  readonly backend: Backend;
  readonly source: DataFacts;
  readonly own: OwnFlow & OwnModel;
}

/** From the plans of few samples, of which each further one takes as much. */
export function stepModel({ config, backend, source, own }: StepModelOptions): StepModel {
  const model = createSampleModel(config.model, undefined, own);
  const { batchSize } = config.train;
  const planned = (
    samples: number,
    of: number,
  ): { state: number; activations: number; kernels: number[] } => {
    const train = { ...config.train, batchSize: of, shards: 1, microBatch: samples };
    const smaller = { ...config, train };
    const programs = stepPrograms(smaller, model, source.sizes, own);
    const options = { ...own, config: smaller, backend, model, source, programs, microBatch: samples };
    const kernels = allPrograms(programs.of(samples)).map((program) => backend.lower(program).nodes.length);
    return { ...estimateMemory({ ...options, savesBeside: false }), kernels };
  };
  const [few, more] = [Math.min(2, batchSize), Math.min(8, batchSize)];
  const whole = planned(few, few);
  const slope = more > few ? (planned(more, more).activations - whole.activations) / (more - few) : 0;
  const parts = planned(1, 2);
  const [part = 0, update = 0] = parts.kernels;
  return {
    state: { whole: whole.state, parts: parts.state },
    kernels: { part, update },
    activations: (samples) => whole.activations + slope * (samples - few),
  };
}

/** The most samples at a time that fit, in as few parts as can be, and what they take. */
export function fitSamples(
  { state, activations }: StepModel,
  batchSize: number,
  memory: number,
): { microBatch: number | undefined; needed: number } {
  const neededBy = (parts: number): number => {
    const held = parts === 1 ? state.whole : state.parts;
    return held + activations(Math.ceil(batchSize / parts)) + ofDevice;
  };
  for (let parts = 1; parts < batchSize; parts++)
    if (neededBy(parts) <= usable * memory)
      return { microBatch: Math.ceil(batchSize / parts), needed: neededBy(parts) };
  const needed = neededBy(batchSize);
  return { microBatch: needed <= usable * memory ? 1 : undefined, needed };
}

export interface ElsewhereOptions {
  readonly config: RunConfig;
  readonly model: SampleModel;
  readonly source: DataFacts;
  readonly work: Workload;
  readonly own: OwnFlow;
  /** Of its peak. */
  readonly utilisation: number;
  /** As the config says, and with blocks that are computed again. */
  readonly steps: { readonly asSet: StepModel; readonly recompute: StepModel };
}

export function planElsewhere(machine: Machine, options: ElsewhereOptions): MachinePlan {
  const { config, model, source, work, own, utilisation, steps } = options;
  const { batchSize, precision: asked, memory: kept } = config.train;
  const precision = asked === 'fp32' ? 'fp32' : 'bf16';
  const asSet = fitSamples(steps.asSet, batchSize, machine.memory);
  const again = fitSamples(steps.recompute, batchSize, machine.memory);
  const isHelped = kept === 'keep' && asSet.microBatch === undefined && again.microBatch !== undefined;
  const recompute = kept === 'recompute' || isHelped;
  const train = { ...config.train, memory: recompute ? 'recompute' : 'keep' } as const;
  const flops: FlopsPlan = flopsOf({ config: { ...config, train }, model, source, work, own });
  const { name, memory: bytes, source: figures } = machine;
  const peak = machine[precision];
  const speed = peak * utilisation;
  const fit = isHelped ? again : asSet;
  const { part, update } = (isHelped ? steps.recompute : steps.asSet).kernels;
  const parts = Math.ceil(batchSize / (fit.microBatch ?? 1));
  // Kernels are begun while those before them run.
  const step = Math.max(flops.step / speed, kernelTime * (parts * part + update));
  return {
    name,
    precision,
    peak,
    source: figures,
    memory: bytes,
    ...fit,
    recompute,
    step,
    total: step * work.steps + (flops.grid * work.grids) / speed,
  };
}

/** Of all machines that are known. @param options with the precision that the config asks for: elsewhere it may be another than here */
export async function planMachines(
  options: Omit<ElsewhereOptions, 'steps' | 'own'> & {
    /** Of this machine. */
    readonly backendName: string;
    readonly own: OwnFlow & OwnModel;
  },
): Promise<MachinePlan[]> {
  const { config, source, own, backendName } = options;
  const precision = config.train.precision === 'fp32' ? 'fp32' : 'bf16';
  const { backend } =
    backendName === 'reference'
      ? await chooseBackend({ name: 'reference', precision })
      : chooseHost({ precision });
  try {
    const of = (memory: RunConfig['train']['memory']): StepModel =>
      stepModel({
        config: { ...config, train: { ...config.train, memory, precision } },
        backend,
        source,
        own,
      });
    const steps = { asSet: of(config.train.memory), recompute: of('recompute') };
    return machines.map((machine) => planElsewhere(machine, { ...options, steps }));
  } finally {
    await backend.dispose();
  }
}
