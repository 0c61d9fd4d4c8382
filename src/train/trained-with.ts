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
function kernelsOf({ name, isa }: Backend): string {
  return isa === undefined ? name : `${name} ${isa}`;
}

/**
 * The config that a checkpoint was trained with; undefined where it does not say: imported ones, and those of earlier versions.
 * @throws RectiflowError when the recorded config is none that this version can read
 */
export function configOf({ path, state }: SavedCheckpoint): RunConfig | undefined {
  const before = state.trainedWith as TrainedWith | undefined;
  // Resolved again: settings that are new in this version get their defaults.
  return before && resolveConfig(before.config as ConfigInput, { origin: path });
}

/**
 * What is other now than when a checkpoint was made, each a sentence for the user.
 * @param file the config's, as it is named to the user
 * @throws RectiflowError as `configOf` does
 */
export function changesSince(
  saved: SavedCheckpoint,
  config: RunConfig,
  backend: Backend,
  file: string,
): string[] {
  const recorded = configOf(saved);
  if (recorded === undefined) return [];
  const { path, state } = saved;
  const { kernels: before } = state.trainedWith as TrainedWith;
  const kernels = kernelsOf(backend);
  const changes = differences(recorded, config, '').join(', ');
  return [
    ...(changes === '' ? [] : [`${file} differs from what ${path} was trained with: ${changes}.`]),
    ...(before === kernels
      ? []
      : [`${path} was trained with ${before}, this is ${kernels}: numbers may differ in their last bits.`]),
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
