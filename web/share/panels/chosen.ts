// What a visitor has chosen.
import type { AnySamplerName } from '../../../src/flow/samplers.ts';
import type { MakeRequest, Ready } from '../protocol.ts';

export interface Chosen {
  /** -1: of no class in particular. */
  label: number;
  prompt: string;
  count: number;
  seed: number;
  steps: number;
  sampler: AnySamplerName;
  guidance: number;
}

export function classesOf({ manifest: { config } }: Ready): number {
  return 'classes' in config.model ? config.model.classes : 0;
}

export function takesPrompts({ manifest: { config } }: Ready): boolean {
  return config.model.kind === 'text-dit';
}

/** As the run made its own samples; few where a program computes. */
export function chosenAtFirst(ready: Ready): Chosen {
  const { config } = ready.manifest;
  return {
    label: config.sample.labels[0] ?? (classesOf(ready) > 0 ? 0 : -1),
    prompt: config.sample.prompts[0] ?? '',
    count: ready.isSlow ? 4 : 9,
    seed: 1,
    steps: ready.isSlow ? Math.min(12, ready.defaults.steps) : ready.defaults.steps,
    sampler: ready.defaults.sampler,
    guidance: ready.defaults.guidance,
  };
}

export function requestOf(ready: Ready, chosen: Chosen): MakeRequest {
  const { label, prompt, count, seed, steps, sampler, guidance } = chosen;
  const hasClasses = classesOf(ready) > 0;
  return {
    label: hasClasses && label >= 0 ? label : null,
    prompt: takesPrompts(ready) ? prompt : null,
    count,
    seed,
    steps,
    sampler,
    guidance,
  };
}
