// Trainings whose plans are compared with what they then take.
import { existsSync } from 'node:fs';
import { type ConfigInput, recipeConfig } from 'rectiflow';

/** What a plan says, or what a run took: seconds and bytes. */
export interface Taken {
  readonly step: number;
  readonly total: number;
  readonly memory: number;
  readonly disk: number;
  /** Of a plan: what was timed. */
  readonly by?: string;
}

export interface PlanCase {
  readonly title: string;
  readonly config: ConfigInput;
  /** For the plan's timed steps, where it is not its default. */
  readonly seconds?: number;
  /** A file without which it is left out. */
  readonly needs?: string;
}

const cells = '../shared/data/pbmc68k_reduced.h5ad';

/** A recipe, shortened: as many kinds of work, in half a minute on two fast cores. */
function short(recipe: string, train: ConfigInput['train'], changes: ConfigInput = {}): ConfigInput {
  const config = recipeConfig(recipe, changes);
  return { ...config, train: { ...config.train, ...train } };
}

const once = { sampleEvery: 0, checkpointEvery: 0 } as const;
const fewSamples = { steps: 10, perClass: 2 } as const;

const cases: Readonly<Record<string, PlanCase>> = {
  digits: {
    title: 'the recipe digits, 600 steps',
    config: short('digits', { steps: 600, sampleEvery: 300, checkpointEvery: 150 }),
  },
  'emoji-classes': {
    title: 'the recipe emoji-classes, 400 steps',
    config: short('emoji-classes', { steps: 400, sampleEvery: 200, checkpointEvery: 100 }),
  },
  pbmc: {
    title: 'the recipe pbmc, 1200 steps',
    config: short('pbmc', {}, { data: { source: 'expression', path: cells } }),
    needs: cells,
  },
  wide: {
    title: 'emoji, DiT-S/2 at 32x32, batch 16, 30 steps',
    config: short(
      'emoji-classes',
      { ...once, steps: 30, batchSize: 16 },
      { model: { preset: 'DiT-S/2' }, sample: fewSamples },
    ),
  },
  'patch-4': {
    title: 'emoji, 256 wide, 8 deep, patch 4 at 64x64, 30 steps',
    config: short(
      'emoji-classes',
      { ...once, steps: 30 },
      { data: { source: 'emoji', size: 64 }, model: { width: 256 }, sample: fewSamples },
    ),
  },
  recompute: {
    title: 'digits, batch 256 as 4 x 64, recompute, 80 steps',
    config: short(
      'digits',
      { ...once, steps: 80, batchSize: 256, microBatch: 64, memory: 'recompute' },
      { sample: { steps: 20 } },
    ),
  },
  'held-out': {
    title: 'digits, fp32, 256 held out, 3 averages, 300 steps',
    config: short(
      'digits',
      { ...once, steps: 300, precision: 'fp32', checkpointEvery: 100 },
      { heldOut: { count: 256, every: 50 }, ema: { decays: [0.9, 0.99] }, sample: { steps: 10 } },
    ),
  },
  smaller: {
    title: 'emoji, DiT-B/4 at 64x64, batch 8 as 2 x 4, 16 steps, planned by fewer blocks and samples',
    config: short(
      'emoji-classes',
      { ...once, steps: 16, batchSize: 8, microBatch: 4 },
      {
        data: { source: 'emoji', size: 64 },
        model: { preset: 'DiT-B/4' },
        sample: { steps: 2, perClass: 1 },
      },
    ),
    seconds: 4,
  },
};

export const planCaseNames: readonly string[] = Object.keys(cases);

export function planCase(name: string): PlanCase {
  return cases[name]!;
}

/** Whether the files that a case needs are there. */
export function isThere({ needs }: PlanCase): boolean {
  return needs === undefined || existsSync(needs);
}
