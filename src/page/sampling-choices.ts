// What samples a run can be asked for.
import { join } from 'node:path';
import { readCheckpointState, stepName } from '../runs/checkpoint.ts';
import { checkpointFolder } from '../runs/run-folder.ts';
import { dataOf } from '../known/data-record.ts';
import { powerName } from '../optim/ema.ts';
import { samplersOf } from '../train/objective.ts';
import type { SamplingChoices } from './contract.ts';
import { at } from './run-settings.ts';

const kinds: ReadonlySet<unknown> = new Set(['dit', 'text-dit', 'expression-dit']);

/**
 * @param config as it was resolved
 * @param checkpoints steps, in order
 * @param hasAverages whether averages are stored that others are made of
 * @returns null of a run whose model makes no samples
 */
export async function samplingChoices(
  run: string,
  config: unknown,
  checkpoints: readonly number[],
  hasAverages: boolean,
): Promise<SamplingChoices | null> {
  const kind = at(config, 'model', 'kind');
  const last = checkpoints.at(-1);
  const objective = at(config, 'flow', 'objective', 'kind');
  if (!kinds.has(kind) || typeof objective !== 'string') return null;
  const saved =
    last === undefined
      ? undefined
      : await readCheckpointState(join(checkpointFolder(run), stepName(last)))
          .then(dataOf)
          .catch(() => undefined);
  const lengths = (name: string): number[] =>
    listOf(at(config, 'ema', name), (each) => typeof each === 'number');
  const averages = [...lengths('decays').map(String), ...lengths('power').map(powerName)];
  const sample = at(config, 'sample');
  const classes = at(config, 'model', 'classes');
  return {
    classes: typeof classes === 'number' ? classes : 0,
    classNames: saved?.classNames ?? null,
    takesPrompts: kind === 'text-dit',
    samplers: samplersOf(objective as Parameters<typeof samplersOf>[0]),
    defaults: {
      sampler: textOr(at(sample, 'sampler'), 'euler'),
      steps: numberOr(at(sample, 'steps'), 50),
      guidance: numberOr(at(sample, 'guidance'), 1),
      labels: listOf(at(sample, 'labels'), (each) => typeof each === 'number'),
      prompts: listOf(at(sample, 'prompts'), (each) => typeof each === 'string'),
    },
    averages: averages.map((name) => `ema:${name}`),
    takesEmaLength: hasAverages,
    checkpoints,
  };
}

function textOr(value: unknown, or: string): string {
  return typeof value === 'string' ? value : or;
}

function numberOr(value: unknown, or: number): number {
  return typeof value === 'number' ? value : or;
}

function listOf<T>(value: unknown, isOne: (each: unknown) => each is T): T[] {
  return Array.isArray(value) ? value.filter(isOne) : [];
}
