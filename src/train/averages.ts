// Where a training step keeps the averages beside the main one: in state `ema.<name>/<parameter>`, moved by input `emaWeight/<name>`;
// the main one, in `ema/<parameter>`, is moved by `emaWeight`.
import {
  type Average,
  type EmaSettings,
  type FurtherAverages,
  emaWeight,
  furtherAverages,
  powerLength,
} from '../optim/ema.ts';

const prefix = 'ema.';

/** What an average's tensors are called, in the step's state and in files. @param name of one beside the main one */
export function averageTensor(name: string | undefined, parameter: string): string {
  return name === undefined ? `ema/${parameter}` : `${prefix}${name}/${parameter}`;
}

/** The average and the parameter that a tensor's name tells; undefined for what is no further average. */
export function parseAverageTensor(tensor: string): { name: string; parameter: string } | undefined {
  if (!tensor.startsWith(prefix)) return undefined;
  const slash = tensor.indexOf('/');
  return { name: tensor.slice(prefix.length, slash), parameter: tensor.slice(slash + 1) };
}

/**
 * The input that says how much of the new weights an average takes up: 1 - decay, [].
 * @param name that of a further average; the main one has none
 */
export function averageWeightInput(name?: string): string {
  return name === undefined ? 'emaWeight' : `emaWeight/${name}`;
}

/**
 * What a step feeds to its averages.
 * @param updates optimizer steps that have changed the weights, this one included
 */
export function averageWeights(
  settings: FurtherAverages & EmaSettings,
  updates: number,
): Record<string, Float32Array> {
  const weight = ({ name, weightAt }: Average): [string, Float32Array] => [
    averageWeightInput(name),
    Float32Array.of(weightAt(updates)),
  ];
  return {
    [averageWeightInput()]: Float32Array.of(emaWeight(updates, settings)),
    ...Object.fromEntries(furtherAverages(settings).map(weight)),
  };
}

/** What is kept of each average beside the main one, by the names of the parameters. */
export function groupAverages<T>(tensors: ReadonlyMap<string, T>): Map<string, Map<string, T>> {
  const groups = new Map<string, Map<string, T>>();
  for (const [tensor, value] of tensors) {
    const parsed = parseAverageTensor(tensor);
    if (parsed === undefined) continue;
    if (!groups.has(parsed.name)) groups.set(parsed.name, new Map());
    groups.get(parsed.name)!.set(parsed.parameter, value);
  }
  return groups;
}

/** What is kept of power-function averages, among others. */
export function powerAverages<T>(tensors: ReadonlyMap<string, T>): Map<string, T> {
  const isPower = (tensor: string): boolean => {
    const parsed = parseAverageTensor(tensor);
    return parsed !== undefined && powerLength(parsed.name) !== undefined;
  };
  return new Map([...tensors].filter(([name]) => isPower(name)));
}
