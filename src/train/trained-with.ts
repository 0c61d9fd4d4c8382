// What the numbers of a run depend on beside its data, as checkpoints record it: so that a change does not pass in silence.
import type { Backend } from '../backends/backend.ts';
import type { SavedCheckpoint } from '../checkpoint/checkpoint.ts';
import type { ConfigInput, RunConfig } from './config.ts';
import { resolveConfig } from './resolve-config.ts';

/** A part of a checkpoint's state. */
export interface TrainedWith {
  readonly config: RunConfig;
  /** `cpu avx2`: other kernels round in other places. */
  readonly kernels: string;
}

export function trainedWith(config: RunConfig, backend: Backend): TrainedWith {
  return { config, kernels: kernelsOf(backend) };
}

/** How people call the kernels that a backend runs. */
export function kernelsOf({ name, isa }: Backend): string {
  return isa === undefined ? name : `${name} ${isa}`;
}

/**
 * What is other now than when a checkpoint was made, each a sentence for the user. None for checkpoints that do not say what
 * they were trained with: imported ones, and those of earlier versions.
 * @param file the config's, as it is named to the user
 * @throws RectiflowError when the recorded config is none that this version can read
 */
export function changesSince(
  { path, state }: SavedCheckpoint,
  config: RunConfig,
  backend: Backend,
  file: string,
): string[] {
  const before = state.trainedWith as TrainedWith | undefined;
  if (before === undefined) return [];
  // Resolved again: settings that are new in this version have their defaults on both sides then.
  const recorded = resolveConfig(before.config as ConfigInput, { origin: path });
  const changes = differences(recorded, config, '');
  const kernels = kernelsOf(backend);
  return [
    ...(changes.length > 0
      ? [`${file} differs from what ${path} was trained with: ${changes.join(', ')}.`]
      : []),
    ...(before.kernels === kernels
      ? []
      : [
          `${path} was trained with ${before.kernels}, this is ${kernels}: numbers may differ in their last bits.`,
        ]),
  ];
}

/** `optimizer.learningRate 0.0001 -> 0.0002` for every setting that is not the same. */
function differences(before: unknown, now: unknown, path: string): string[] {
  if (isSettings(before) && isSettings(now)) {
    const names = new Set([...Object.keys(before), ...Object.keys(now)]);
    return [...names].flatMap((name) =>
      differences(before[name], now[name], path === '' ? name : `${path}.${name}`),
    );
  }
  const [old, current] = [before, now].map((value) => JSON.stringify(value) ?? 'nothing');
  return old === current ? [] : [`${path} ${old} -> ${current}`];
}

function isSettings(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
