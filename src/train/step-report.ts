import type { Module } from '../nn/module.ts';
import { blocksOf } from './blocks.ts';
import type { HostArray } from '../tensor/dtype.ts';
import type { Communicator } from './ranks/communicator.ts';
import type { CompiledStep } from './compiled-step.ts';
import type { StepMetrics } from './metrics.ts';
import type { ToldOfSamples } from './run-task.ts';

const reported = ['loss', 'gradNorm', 'gradNorms'] as const;

/** Reads what the last run of a training step put out. All ranks call it. @param communicator where others have the other samples */
export async function readStep(
  executable: CompiledStep,
  model: Module,
  told: ToldOfSamples,
  communicator?: Communicator,
): Promise<Pick<StepMetrics, 'loss' | 'gradNorm' | 'gradNormByBlock'> & Partial<StepMetrics>> {
  const { loss, gradNorm, gradNorms, ...ofSamples } = await executable.read([...reported, ...told.names]);
  return {
    loss: loss![0]!,
    gradNorm: gradNorm![0]!,
    ...told.metrics(await ofAllSamples(ofSamples, communicator)),
    gradNormByBlock: Object.fromEntries(blocksOf(model).map((block, i) => [block, gradNorms![i]!])),
  };
}

/** What is told of the samples of all ranks, in their order. */
async function ofAllSamples(
  own: Readonly<Record<string, HostArray>>,
  communicator: Communicator | undefined,
): Promise<Record<string, HostArray>> {
  const told = { ...own };
  if (communicator)
    for (const [name, values] of Object.entries(own))
      told[name] = await communicator.gather(Float32Array.from(values));
  return told;
}
