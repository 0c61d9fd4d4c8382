// What a visitor has chosen.
import type { AnySamplerName } from '../../../src/flow/samplers.ts';
import { allot, recordOf } from '../cells.ts';
import { type MakeRequest, type Ready, mostSamples } from '../protocol.ts';

export interface Chosen {
  /** -1: of no class in particular; of cells: of all, as many of each as in the data. */
  label: number;
  prompt: string;
  count: number;
  seed: number;
  steps: number;
  sampler: AnySamplerName;
  guidance: number;
}

export function classesOf({ manifest: { config } }: Pick<Ready, 'manifest'>): number {
  return 'classes' in config.model ? config.model.classes : 0;
}

export function takesPrompts({ manifest: { config } }: Ready): boolean {
  return config.model.kind === 'text-dit';
}

/** How many samples can be asked for: cells are looked at as many. */
export function countsOf(ready: Ready): readonly number[] {
  return recordOf(ready) ? [10, 25, 50, mostSamples] : [1, 4, 9, 16, 25];
}

/** As the run made its own samples, cells of all types; few where a program computes. */
export function chosenAtFirst(ready: Ready): Chosen {
  const { config } = ready.manifest;
  const counts = countsOf(ready);
  const hasNoType = recordOf(ready) !== undefined || classesOf(ready) === 0;
  return {
    label: hasNoType ? -1 : (config.sample.labels[0] ?? 0),
    prompt: config.sample.prompts[0] ?? '',
    count: ready.isSlow ? counts[recordOf(ready) ? 0 : 1]! : counts[2]!,
    seed: 1,
    steps: ready.isSlow ? Math.min(12, ready.defaults.steps) : ready.defaults.steps,
    sampler: ready.defaults.sampler,
    guidance: ready.defaults.guidance,
  };
}

export function requestOf(ready: Ready, chosen: Chosen): MakeRequest {
  const { label, prompt, count, seed, steps, sampler, guidance } = chosen;
  const hasClasses = classesOf(ready) > 0;
  const composition = recordOf(ready)?.cells ?? new Array<number>(classesOf(ready)).fill(1);
  const isOfAll = hasClasses && label < 0 && recordOf(ready) !== undefined;
  return {
    label: hasClasses && label >= 0 ? label : null,
    ...(isOfAll && { labels: allot(composition, count) }),
    prompt: takesPrompts(ready) ? prompt : null,
    count,
    seed,
    steps,
    sampler,
    guidance,
  };
}
