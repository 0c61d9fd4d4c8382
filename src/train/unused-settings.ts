import { defaults } from './defaults.ts';
import { samplersOf } from './objective.ts';
import type { TrainingConfig } from './settings.ts';

/** Settings of what a velocity learns and of how it is sampled, which an autoencoder has no use for, unless they are the defaults. */
export function unusedSettings({ flow, sample }: Pick<TrainingConfig, 'flow' | 'sample'>): string[] {
  const { perClass: _, gridWeights: __, ...others } = defaults.sample;
  const sampling = {
    ...others,
    seed: undefined,
    guidance: 1,
    sampler: samplersOf(defaults.flow.objective.kind)[0]!,
  };
  const learning = { ...defaults.flow, labelDropout: 0 };
  return [...namesOfOthers('flow', flow, learning), ...namesOfOthers('sample', sample, sampling)].map(
    (name) => `${name}: an autoencoder learns no velocity, and has no use for it. Leave it out`,
  );
}

function namesOfOthers(path: string, settings: object, usual: object): string[] {
  const given: Readonly<Record<string, unknown>> = { ...settings };
  return Object.entries(usual)
    .filter(([name, value]) => JSON.stringify(given[name]) !== JSON.stringify(value))
    .map(([name]) => `${path}.${name}`);
}
