import { modelCost } from '../api/cost.ts';
import { type BackendChoice, type ChosenBackend, chooseBackend } from '../backends/choose.ts';
import { resolveDiTConfig } from '../models/dit-config.ts';
import { kindOf } from '../models/kinds/index.ts';
import { parsePreset } from '../models/presets.ts';
import { RectiflowError } from '../tensor/errors.ts';
import type { CustomModel, ModelConfig } from '../train/settings.ts';
import { formatBytes, formatFlops, formatInteger, formatTable } from './format.ts';

/** What a model's name leaves open. */
export interface InfoOptions {
  readonly imageSize?: [height: number, width: number];
  readonly channels: number;
  readonly classes: number;
}

/** A model whose sizes are known without the program that brings it. */
type SizedModel = Exclude<ModelConfig, CustomModel>;

const batchSizes = [1, 4, 16, 64, 256];

/** @throws RectiflowError where the name is none, or the sizes do not fit together */
export async function describeModel(
  name: string,
  { imageSize, channels, classes }: InfoOptions,
): Promise<string[]> {
  const sizes = parsePreset(name);
  if (imageSize === undefined) {
    throw new RectiflowError(
      'value',
      `info: how large are the images of ${name}? Add --image-size, as in --image-size 256`,
    );
  }
  return [
    name,
    ...(await describeSizes({
      kind: 'dit',
      ...resolveDiTConfig({ ...sizes, imageSize, channels, classes }),
    })),
  ];
}

/** Sizes, parameters, operations and memory. @param choice of what computes, as far as that is known */
export async function describeSizes(
  model: SizedModel,
  batches: readonly number[] = batchSizes,
  choice: BackendChoice = {},
): Promise<string[]> {
  const { backend, notices } = await chooseOrOther(choice);
  try {
    const { parameters, cost, memory } = modelCost(model, backend, batches);
    const { samples, network } = kindOf(model.kind).describe!(model);
    const [name, text] = network;
    const rows = memory.map(({ batchSize, state, activations, other, total }) => [
      String(batchSize),
      formatBytes(state),
      formatBytes(activations),
      formatBytes(other),
      formatBytes(total),
    ]);
    return [
      `  samples      ${samples}`,
      `  ${name.padEnd(11)}  ${text}`,
      `  parameters   ${formatInteger(parameters)}`,
      `  per sample   ${formatFlops(cost.forward)} forward, ${formatFlops(cost.training)} in a training step`,
      '',
      `Memory of training with ${backend.describe()}:`,
      ...formatTable([
        ['batch', 'weights, moments, EMA', 'activations, gradients', 'checkpoints, batches', 'total'],
        ...rows,
      ]).map((line) => `  ${line}`),
      ...notices.map((notice) => `note: ${notice}`),
    ];
  } finally {
    await backend.dispose();
  }
}

/** A run may be of a machine that has what this one has not. */
async function chooseOrOther(choice: BackendChoice): Promise<ChosenBackend> {
  try {
    return await chooseBackend(choice);
  } catch (error) {
    if (!(error instanceof RectiflowError) || error.code !== 'backend') throw error;
    const { backend, notices } = await chooseBackend();
    return { backend, notices: [error.message, ...notices] };
  }
}
