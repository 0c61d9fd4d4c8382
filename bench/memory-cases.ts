// Trainings whose memory is measured.
import { type ConfigInput, type MemoryEstimate, recipeConfig } from 'rectiflow';

/** What a process has found of its case. */
export interface Memory {
  readonly title: string;
  readonly estimate: MemoryEstimate;
  readonly peakBytes: number;
}

interface MemoryCase {
  readonly title: string;
  readonly config: ConfigInput;
}

/** Every kind of work that a run does, in three steps. */
const train = { steps: 3, logEvery: 1, checkpointEvery: 2, sampleEvery: 2 } as const;
const sample = { steps: 2 } as const;
const pictures = {
  data: { source: 'custom' },
  model: { width: 384, depth: 12, heads: 6, patchSize: 4, channels: 3, imageSize: 64, classes: 10 },
  sample,
} as const satisfies ConfigInput;

function small(changes: ConfigInput['train']): ConfigInput {
  return { ...pictures, train: { ...train, ...changes } };
}

const recipe = recipeConfig('digits');

const cases: Readonly<Record<string, MemoryCase>> = {
  digits: {
    title: 'the recipe digits',
    config: { ...recipe, train: { ...recipe.train, ...train }, sample: { ...recipe.sample, ...sample } },
  },
  'digits-held-out': {
    title: 'digits, batch 256, fp32, 128 held out, 3 averages',
    config: {
      ...recipe,
      train: { ...recipe.train, ...train, batchSize: 256, precision: 'fp32' },
      sample: { ...recipe.sample, ...sample },
      heldOut: { count: 128, every: 2 },
      ema: { decays: [0.9, 0.99] },
    },
  },
  fp32: { title: 'DiT-S/4, 64x64, batch 16, fp32', config: small({ batchSize: 16, precision: 'fp32' }) },
  bf16: { title: 'DiT-S/4, 64x64, batch 16, bf16', config: small({ batchSize: 16, precision: 'bf16' }) },
  fp16: { title: 'DiT-S/4, 64x64, batch 4, fp16', config: small({ batchSize: 4, precision: 'fp16' }) },
  recompute: {
    title: 'DiT-S/4, 64x64, batch 16, fp32, recompute',
    config: small({ batchSize: 16, precision: 'fp32', memory: 'recompute' }),
  },
  accumulated: {
    title: 'DiT-S/4, 64x64, batch 32 as 4 x 8, bf16',
    config: small({ batchSize: 32, microBatch: 8, precision: 'bf16' }),
  },
  large: {
    title: 'width 128, depth 2, patch 16, 256x256, batch 8, bf16',
    config: {
      ...pictures,
      model: { ...pictures.model, width: 128, depth: 2, heads: 2, patchSize: 16, imageSize: 256 },
      train: { ...train, batchSize: 8, precision: 'bf16' },
    },
  },
  one: {
    title: 'DiT-S/4, 64x64, batch 2 as 2 x 1, bf16',
    config: small({ batchSize: 2, microBatch: 1, precision: 'bf16' }),
  },
};

export const memoryCaseNames: readonly string[] = Object.keys(cases);

export function memoryCase(name: string): MemoryCase {
  return cases[name]!;
}
