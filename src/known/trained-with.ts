// What the numbers of a run depend on beside its data, as checkpoints record it: so that a change does not pass in silence.
import { z } from 'zod';
import type { Backend } from '../backends/backend.ts';
import type { StoredCheckpoint } from '../train/run-store.ts';
import type { ConfigInput, RunConfig } from '../config/config.ts';
import { resolveConfig } from '../config/resolve-config.ts';
import { describeKernels } from '../train/kernels.ts';
import { issueError } from './state-error.ts';

/** A part of a checkpoint's state. */
export interface TrainedWith {
  readonly config: RunConfig;
  /** `cpu avx2`: other kernels round in other places. */
  readonly kernels: string;
}

export function trainedWith(config: RunConfig, backend: Backend): TrainedWith {
  return { config, kernels: describeKernels(backend) };
}

/**
 * The config that a checkpoint was trained with; undefined where it does not say: imported ones, and those of earlier versions.
 * @throws RectiflowError when the recorded config is none that this version can read
 */
export function configOf(saved: StoredCheckpoint): RunConfig | undefined {
  const known = resolved.get(saved.state);
  if (known) return known;
  const before = recordOf(saved);
  // Resolved again: settings that are new in this version get their defaults.
  const config = before && resolveConfig(before.config as ConfigInput, { origin: saved.path });
  if (config) resolved.set(saved.state, config);
  return config;
}

/** Those that were asked for already, by the states of their checkpoints. */
const resolved = new WeakMap<StoredCheckpoint['state'], RunConfig>();

const schema = z.object({ config: z.record(z.string(), z.unknown()), kernels: z.string() }).optional();

function recordOf({ path, state }: StoredCheckpoint): z.infer<typeof schema> {
  const parsed = schema.safeParse(state['trainedWith']);
  if (parsed.success) return parsed.data;
  throw issueError(path, 'state.trainedWith', parsed.error);
}

/** What checkpoints tell of the weights' past. */
export interface Past {
  /** Whether samples were ever trained on without label or caption. Absent where nothing tells: of weights from elsewhere. */
  readonly nullTrained?: boolean;
  /** Where the weights of the run's beginning are from: a file, or another run. */
  readonly imported?: { readonly file: string };
  readonly begunFrom?: BegunFrom;
}

/** The weights of another run that a run began with. */
export interface BegunFrom {
  readonly run: string;
  readonly step: number;
  /** Of their file, as the checkpoint of that run has it: which weights they were, wherever that run is now. */
  readonly sha256: string;
  /** What was made of them: the command. */
  readonly by: 'grow' | 'reflow';
}

const pastSchema: z.ZodType<Past> = z.object({
  nullTrained: z.boolean().exactOptional(),
  imported: z.object({ file: z.string() }).exactOptional(),
  begunFrom: z
    .object({
      run: z.string(),
      step: z.number().int().nonnegative(),
      sha256: z.string(),
      by: z.enum(['grow', 'reflow']),
    })
    .exactOptional(),
});

/** @throws RectiflowError when the checkpoint's state is none */
export function pastOf({ path, state }: Pick<StoredCheckpoint, 'path' | 'state'>): Past {
  const parsed = pastSchema.safeParse(state);
  if (parsed.success) return parsed.data;
  throw issueError(path, 'state', parsed.error);
}

/**
 * Whether the weights of a checkpoint were ever trained without label or caption, which guidance leads away from; undefined where
 * nothing tells: of weights from elsewhere.
 * @param config of the run
 */
export function isNullTrained(saved: StoredCheckpoint, config: RunConfig): boolean | undefined {
  const { nullTrained, imported } = pastOf(saved);
  if (nullTrained !== undefined || imported !== undefined) return nullTrained;
  return (configOf(saved) ?? config).flow.labelDropout > 0;
}

/** What checkpoints tell of the weights' past, once they are trained with this config. */
export function describePast(checkpoint: StoredCheckpoint | undefined, config: RunConfig): Past {
  const { imported, begunFrom } = checkpoint ? pastOf(checkpoint) : {};
  const before = checkpoint ? isNullTrained(checkpoint, config) : false;
  const nullTrained = config.flow.labelDropout > 0 || before;
  return {
    ...(nullTrained !== undefined && { nullTrained }),
    ...(imported && { imported }),
    ...(begunFrom && { begunFrom }),
  };
}

/**
 * What is other now than when a checkpoint was made, each a sentence for the user.
 * @param file the config's, as it is named to the user
 * @throws RectiflowError as `configOf` does
 */
export function changesSince(
  saved: StoredCheckpoint,
  config: RunConfig,
  backend: Backend,
  file: string,
): string[] {
  const recorded = configOf(saved);
  if (recorded === undefined) return [];
  const { path } = saved;
  const { kernels: before } = recordOf(saved)!;
  const kernels = describeKernels(backend);
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
