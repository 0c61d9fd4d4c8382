// The settings that a run is trained with, step by step: those that it began with, and what was changed since.
import type { SteeringEvent, SteeringSettings } from './event.ts';

/** As much of a config as can be changed. */
export interface Steerable {
  readonly optimizer: { readonly learningRate: number };
  readonly train: {
    readonly sampleEvery: number;
    readonly checkpointEvery: number;
    readonly logEvery: number;
  };
  readonly sample: object;
}

/** @returns those of the events that change settings */
export function changesOf(events: readonly SteeringEvent[]): SteeringEvent[] {
  return events.filter(({ kind, outcome }) => kind === 'set' && outcome === 'applied');
}

/**
 * What is other than in the config when a step is done. Of one setting the last event that changed it counts, in the order in which they
 * happened: who steers a run that has been resumed means it, also where what was asked before comes at a later step.
 * @param events in that order
 * @param step from 1
 * @returns undefined where nothing is
 */
export function settingsOf(events: readonly SteeringEvent[], step: number): SteeringSettings | undefined {
  const before = changesOf(events).filter((event) => event.step < step);
  if (before.length === 0) return undefined;
  return before.reduce<SteeringSettings>((all, { settings = {} }) => merged(all, settings), {});
}

function merged(before: SteeringSettings, after: SteeringSettings): SteeringSettings {
  const sample = before.sample || after.sample ? { ...before.sample, ...after.sample } : undefined;
  return { ...before, ...after, ...(sample && { sample }) };
}

/** A config with other settings. */
export function steered<Config extends Steerable>(
  config: Config,
  { learningRate, sample, ...counts }: SteeringSettings,
): Config {
  const { optimizer, train } = config;
  return {
    ...config,
    ...(learningRate !== undefined && { optimizer: { ...optimizer, learningRate } }),
    train: { ...train, ...counts },
    ...(sample && { sample: { ...config.sample, ...sample } }),
  };
}

/** The config that a step is done with. */
export function configOfStep<Config extends Steerable>(
  config: Config,
  events: readonly SteeringEvent[],
  step: number,
): Config {
  const settings = settingsOf(events, step);
  return settings ? steered(config, settings) : config;
}
