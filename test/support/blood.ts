// Cells of a small file, of types that a few genes tell apart, and a run on them.
import { writeExpression } from '../../src/sources/expression/write.ts';
import type { ExpressionData } from '../../src/sources/settings.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { randomValues } from './random.ts';

export const bloodGenes = ['CD3E', 'MS4A1', 'LYZ', 'a,"b"', 'ACTB', 'GAPDH'];
export const bloodTypes = ['T', '<b>B</b>', 'rare', 'rarer'];

/** 75 cells: 30 of each of two types, eight and seven of others. With a fifth held out 24, 24, 6 and 6 are trained on. */
const labels = Array.from({ length: 75 }, (_, cell) => (cell < 60 ? cell % 2 : cell < 68 ? 2 : 3));
const counts = Float32Array.from(randomValues(75 * 6, 4), (value, i) => {
  const strong = i % 6 === labels[Math.floor(i / 6)] || i % 6 >= 4;
  return Math.floor((strong ? 14 : 1.4) * Math.abs(value)) + (i % 6 === 5 ? 1 : 0);
});

export async function writeBlood(path: string, genes: readonly string[] = bloodGenes): Promise<void> {
  const classes = { column: 'kind', names: bloodTypes, labels };
  await writeExpression(path, { genes, values: counts, classes });
}

/**
 * @param path of the file that `writeBlood` wrote
 * @param data settings beside those that all have
 */
export function bloodConfig(path: string, data: Partial<ExpressionData> = { label: 'kind' }): ConfigInput {
  return {
    name: 'blood',
    data: { source: 'expression', path, target: 30, holdOut: 0.2, ...data },
    model: { width: 16, depth: 1, heads: 2, groupSize: 2 },
    optimizer: { learningRate: 1e-2 },
    train: { steps: 60, batchSize: 8, logEvery: 4, sampleEvery: 0, checkpointEvery: 0 },
    sample: { steps: 4 },
  };
}
