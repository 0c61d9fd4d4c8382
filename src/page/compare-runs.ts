import type { Comparison, Json } from './contract.ts';
import { failureOf } from './refusal.ts';
import { placeOf } from './run-place.ts';
import { recordOf } from './run-record.ts';

/** In which settings runs differ. @param folder of runs */
export async function compareRuns(folder: string, runs: readonly string[]): Promise<Comparison> {
  const damage: string[] = [];
  const read = async (run: string): Promise<ReadonlyMap<string, Json>> => {
    try {
      const { config } = await recordOf((await placeOf(folder, run)).path);
      return new Map(settings(config as Json, ''));
    } catch (error) {
      damage.push(failureOf(error, () => {}).body.error);
      return new Map();
    }
  };
  const all = await Promise.all(runs.map(read));
  const names = new Set(all.flatMap((each) => [...each.keys()]));
  const rows = [...names].map((name) => ({ name, values: all.map((each) => each.get(name) ?? null) }));
  const differ = rows.filter(({ values }) => new Set(values.map((value) => JSON.stringify(value))).size > 1);
  return { runs, settings: differ, damage: [...new Set(damage)] };
}

/** By dotted names; lists are values. */
function settings(value: Json, name: string): [name: string, value: Json][] {
  const isGroup = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isGroup) return [[name, value]];
  return Object.entries(value).flatMap(([key, inner]) =>
    settings(inner as Json, name === '' ? key : `${name}.${key}`),
  );
}
