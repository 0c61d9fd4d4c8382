import { modelCost } from '../api/cost.ts';
import { chooseBackend } from '../backends/choose.ts';
import type { DiTConfig } from '../models/dit-config.ts';
import { parsePreset } from '../models/presets.ts';
import { RectiflowError } from '../tensor/errors.ts';
import { formatBytes, formatFlops, formatInteger, formatTable } from './format.ts';

/** What a model's name leaves open. */
export interface InfoOptions {
  readonly imageSize?: [height: number, width: number];
  readonly channels: number;
  readonly classes: number;
}

const batchSizes = [1, 4, 16, 64, 256];

/** @throws RectiflowError where the name is none, or the sizes do not fit together */
export function describeModel(name: string, { imageSize, channels, classes }: InfoOptions): string[] {
  const sizes = parsePreset(name);
  if (imageSize === undefined) {
    throw new RectiflowError(
      'value',
      `info: how large are the images of ${name}? Add --image-size, as in --image-size 256`,
    );
  }
  return [name, ...describeSizes({ ...sizes, imageSize, channels, classes })];
}

/** Sizes, parameters, operations and memory. */
export function describeSizes(sizes: DiTConfig, batches: readonly number[] = batchSizes): string[] {
  const { backend } = chooseBackend();
  const { parameters, cost, memory } = modelCost(sizes, backend, batches);
  const { width, depth, heads, patchSize, channels, classes } = sizes;
  const [height, wide] = sizes.imageSize;
  const tokens = (height / patchSize) * (wide / patchSize);
  const rows = memory.map(({ batchSize, state, activations, total }) => [
    String(batchSize),
    formatBytes(state),
    formatBytes(activations),
    formatBytes(total),
  ]);
  return [
    `  images       ${height}x${wide}, ${channels} ${channels === 1 ? 'channel' : 'channels'}, ` +
      (classes === 0 ? 'no classes' : `${formatInteger(classes)} classes`),
    `  transformer  ${width} wide, ${depth} deep, ${heads} heads, ${formatInteger(tokens)} tokens of ${patchSize}x${patchSize} pixels`,
    `  parameters   ${formatInteger(parameters)}`,
    `  per image    ${formatFlops(cost.forward)} forward, ${formatFlops(cost.training)} in a training step`,
    '',
    `Memory of training with ${backend.describe()}:`,
    ...formatTable([['batch', 'weights, moments, EMA', 'activations, gradients', 'total'], ...rows]).map(
      (line) => `  ${line}`,
    ),
  ];
}
