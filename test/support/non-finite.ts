// NaN and infinity in every input of an op: they come out where they do on the reference, or the op says that it hides them.
import { expect } from 'vitest';
import type { Hiding, Op } from '../../src/ops/op.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';

export type Values = Readonly<Record<string, HostArray>>;
/** Runs a program on its inputs and state by name; returns its outputs and the state after it. */
export type Run = (values: Values) => Promise<Map<string, HostArray>>;
/** Where numbers are not finite, by the name of what holds them. */
type Places = ReadonlyMap<string, ReadonlySet<number>>;

interface Spoilt {
  /** Which input holds which number. */
  readonly input: number;
  readonly number: number;
  readonly values: Values;
}

/** Each input with each number in one place: the first, one in the middle, the last, where kernels fill no vector. */
function spoiltInputs(names: readonly string[], values: Values): Spoilt[] {
  return names.flatMap((name, input) => {
    if (values[name] instanceof Int32Array) return [];
    const { length } = values[name]!;
    return [Infinity, -Infinity, NaN].map((number, i) => {
      const spoilt = values[name]!.slice();
      spoilt[Math.floor(((length - 1) * i) / 2)] = number;
      return { input, number, values: { ...values, [name]: spoilt } };
    });
  });
}

function placesOf(results: ReadonlyMap<string, HostArray>): Places {
  const bad = (numbers: HostArray): Set<number> => {
    const places = new Set<number>();
    for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i])) places.add(i);
    return places;
  };
  return new Map(Array.from(results, ([name, numbers]) => [name, bad(numbers)]));
}

/** Where `got` lacks some of `wanted`, and where it has others: in words, for there may be thousands. */
function difference(got: Places, wanted: Places): { hidden: string[]; made: string[] } {
  const without = (a: Places, b: Places): string[] =>
    Array.from(a).flatMap(([name, places]) => {
      const missing = [...places].filter((i) => !b.get(name)!.has(i));
      return missing.length > 0 ? [`${missing.length} of ${places.size} in ${name}, at ${missing[0]}`] : [];
    });
  return { hidden: without(wanted, got), made: without(got, wanted) };
}

/** An op at one size. */
export interface Spoilable {
  readonly op: Op;
  readonly hides: readonly Hiding[];
  /** Names in the program, in the op's order. */
  readonly inputs: readonly string[];
}

/**
 * A check for any number of backends: of what the reference has bad numbers in, they have them in the same places. Where a fused op
 * says that it hides a number, its decomposition may spread it further than a kernel need, or hide infinity by other means; a
 * primitive is its own definition.
 * @param compileReference runs the op there; it is asked once
 */
export function nonFiniteCheck(
  { op, hides, inputs }: Spoilable,
  values: Values,
  compileReference: () => Promise<Run>,
): (run: Run) => Promise<void> {
  const cases = spoiltInputs(inputs, values);
  let wanted: Promise<Places[]> | undefined;
  const askReference = async (): Promise<Places[]> => {
    const run = await compileReference();
    const places: Places[] = [];
    for (const spoilt of cases) places.push(placesOf(await run(spoilt.values)));
    return places;
  };
  return async (run) => {
    wanted ??= askReference();
    for (const [i, places] of (await wanted).entries()) {
      const { input, number, values: spoilt } = cases[i]!;
      const what = `${number} in input ${input}`;
      const isHidden = hides.some(
        ({ inputs: own, numbers }) =>
          (own?.includes(input) ?? true) && (numbers === 'all' || !Number.isNaN(number)),
      );
      if (!isHidden)
        expect(
          [...places.values()].some(({ size }) => size > 0),
          `${what} comes out`,
        ).toBe(true);
      const { hidden, made } = difference(placesOf(await run(spoilt)), places);
      const isExact = !isHidden || op.kind === 'primitive';
      if (isExact) expect(hidden, `${what} comes out everywhere`).toEqual([]);
      if (isExact || Number.isNaN(number)) expect(made, `${what} comes out where it should not`).toEqual([]);
    }
  };
}
