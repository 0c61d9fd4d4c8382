import { modelCost } from '../api/cost.ts';
import { chooseBackend } from '../backends/choose.ts';
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

/** Sizes, parameters, operations and memory. */
export async function describeSizes(
  model: SizedModel,
  batches: readonly number[] = batchSizes,
): Promise<string[]> {
  const { backend, notices } = await chooseBackend();
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
