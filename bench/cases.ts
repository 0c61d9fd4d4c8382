// What is measured: models, batches, and who runs them how.
import { type ConfigInput, type RunConfig, recipeConfig, resolveConfig } from 'rectiflow';

const latents = { channels: 4, patchSize: 2, classes: 10 };
const S = { width: 384, depth: 12, heads: 6 };
const B = { width: 768, depth: 12, heads: 12 };

export interface Case {
  readonly title: string;
  readonly config: RunConfig;
}

function custom(model: ConfigInput['model'], batchSize: number): RunConfig {
  return resolveConfig({ data: { source: 'custom' }, model: { ...latents, ...model }, train: { batchSize } });
}

const cases = {
  's-256': () => ({
    title: 'DiT-S, 256 tokens, batch 16',
    config: custom({ ...S, imageSize: 32 }, 16),
  }),
  's-1024': () => ({
    title: 'DiT-S, 1024 tokens, batch 8',
    config: custom({ ...S, imageSize: 64 }, 8),
  }),
  'b-256': () => ({
    title: 'DiT-B, 256 tokens, batch 8',
    config: custom({ ...B, imageSize: 32 }, 8),
  }),
  digits: () => ({ title: 'the recipe digits', config: resolveConfig(recipeConfig('digits')) }),
} satisfies Record<string, () => Case>;

export type CaseName = keyof typeof cases;
export const caseNames = Object.keys(cases) as CaseName[];

export function caseByName(name: string): Case {
  return cases[name as CaseName]();
}

/** A way to run a case, in a process of its own. */
export interface Variant {
  readonly label: string;
  readonly by: 'rectiflow' | 'pytorch';
  /** rectiflow: the backend's. PyTorch: fp32, bf16 autocast, or weights cast to bfloat16. */
  readonly precision: 'fp32' | 'bf16' | 'bf16-weights';
  readonly isa?: 'avx2';
  /** All threads of the measurement by default. */
  readonly threads?: 1;
}

export const variants = {
  bf16: { label: 'rectiflow bf16', by: 'rectiflow', precision: 'bf16' },
  fp32: { label: 'rectiflow fp32', by: 'rectiflow', precision: 'fp32' },
  'avx2-fp32': { label: 'rectiflow fp32, AVX2', by: 'rectiflow', precision: 'fp32', isa: 'avx2' },
  'bf16-1': { label: 'rectiflow bf16, 1 thread', by: 'rectiflow', precision: 'bf16', threads: 1 },
  'torch-bf16': { label: 'PyTorch bf16 autocast', by: 'pytorch', precision: 'bf16' },
  'torch-bf16-weights': { label: 'PyTorch bf16 weights', by: 'pytorch', precision: 'bf16-weights' },
  'torch-fp32': { label: 'PyTorch fp32', by: 'pytorch', precision: 'fp32' },
} as const satisfies Record<string, Variant>;

export type VariantName = keyof typeof variants;
