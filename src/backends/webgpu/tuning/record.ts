// What was chosen, as it is kept: in a run's folder, in the user's cache, or wherever a page keeps it.
import type { TuningChoice, TuningRecord } from '../../backend.ts';

export type Choices = ReadonlyMap<string, TuningChoice>;

const version = 1;

export function isRecord(kept: unknown): kept is TuningRecord {
  const record = kept as TuningRecord;
  return (
    isObject(record) &&
    record.version === version &&
    isObject(record.devices) &&
    Object.values(record.devices).every(
      (choices) => isObject(choices) && Object.values(choices).every(isChoice),
    )
  );
}

/** @throws Error where it is no such record */
export function parseRecord(kept: unknown): TuningRecord {
  if (isRecord(kept)) return kept;
  throw new Error(`what it holds are no choices of version ${version}`);
}

function isChoice(choice: unknown): choice is TuningChoice {
  if (!isObject(choice)) return false;
  const { way, kernels, milliseconds = 0 } = choice as Partial<TuningChoice>;
  return typeof way === 'string' && typeof kernels === 'string' && typeof milliseconds === 'number';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function choicesOf(record: TuningRecord | undefined, device: string): Choices {
  const own = record && Object.hasOwn(record.devices, device) ? record.devices[device]! : {};
  return new Map(Object.entries(own));
}

/** @returns the record with these choices of a device beside what it had; undefined where it has them all */
export function withChoices(
  record: TuningRecord | undefined,
  device: string,
  choices: Choices,
): TuningRecord | undefined {
  const before = choicesOf(record, device);
  const isKnown = [...choices].every(
    ([key, choice]) => JSON.stringify(before.get(key)) === JSON.stringify(choice),
  );
  if (isKnown) return undefined;
  const own = Object.fromEntries([...before, ...choices].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return { version, devices: { ...record?.devices, [device]: own } };
}
