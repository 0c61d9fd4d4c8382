// What a plan says of a case, and constants with which it says what was measured.
import {
  type RankConstants,
  type RankLayout,
  countParameters,
  createModel,
  linkOf,
  rankConstants,
  stepOnRanks,
  workOf,
} from 'rectiflow';
import { rankCase } from './rank-cases.ts';
import { type ScaleCase, shards } from './scale-cases.ts';

/** Seconds of a step. */
export interface Measured {
  /** In one process, beside nothing. */
  readonly alone: number;
  readonly together: number;
  /** Of the latter, in which there was anything to be exchanged. */
  readonly exchanging: number;
}

/** The machine that stands for all of them. */
export type Machine = Pick<RankLayout, 'cores' | 'copying'>;

/** From one namespace to another, as ping tells twice of: nothing is added to what this kernel takes. */
const latency = 20e-6;

export function predict(
  { model, ranks, link }: ScaleCase,
  { alone }: Pick<Measured, 'alone'>,
  machine: Machine,
  constants: RankConstants = rankConstants,
): { readonly total: number; readonly communication: number } {
  const { config } = rankCase(model, shards);
  const parameters = countParameters(createModel(config.model));
  const { copying } = machine;
  const work = workOf({ step: alone, parameters, averages: 0, parts: shards, copying });
  return stepOnRanks(
    work,
    {
      ...machine,
      ranks,
      perMachine: link === 'memory' ? ranks : 1,
      // However many machines they are on, these are all cores there are.
      together: ranks,
      threads: 1,
      link: linkOf(link === 'memory' ? '10Gbit' : link, latency),
    },
    constants,
  );
}

export interface Result {
  readonly of: ScaleCase;
  readonly measured: Measured;
}

const names = ['copiesWithin', 'copiesBetween', 'memories', 'exchange', 'several'] as const;
/** A constant is tried so many times as large and as small, and ever nearer. */
const factors = [2, 1.4, 1.2, 1.1, 1.05, 1.02];

/** The constants that come nearest to all results, in the squares of relative errors: each is moved by itself, until none helps. */
export function fitConstants(results: readonly Result[], machine: Machine): RankConstants {
  const errorOf = (constants: RankConstants): number =>
    results.reduce((sum, { of, measured }) => {
      const { total } = predict(of, measured, machine, constants);
      return sum + (total / measured.together - 1) ** 2;
    }, 0);
  let best = rankConstants;
  let error = errorOf(best);
  for (const factor of factors)
    for (let isBetter = true; isBetter;) {
      isBetter = false;
      for (const name of names)
        for (const times of [factor, 1 / factor]) {
          const tried = { ...best, [name]: best[name] * times };
          const of = errorOf(tried);
          if (of >= error * (1 - 1e-6)) continue;
          [best, error, isBetter] = [tried, of, true];
        }
    }
  return best;
}
