// Samples that a run has made in the process that trains it, by what its events tell, which may be anything.
import type { Json, SteeringEvent } from '../../../src/page/contract.ts';
import { ofRun } from './client.ts';

/** Samples as they are shown, wherever they were made. */
export interface ShownSamples {
  readonly step: number;
  readonly count: number;
  /** Of the picture; null where they are none. */
  readonly picture: string | null;
  readonly made: Json;
}

export interface AskedSamples extends ShownSamples {
  readonly id: string;
}

/** The last that were asked for first. @param answer of a request that may not be among the events yet */
export function askedSamples(
  run: string,
  events: readonly SteeringEvent[],
  answer: SteeringEvent | null,
): AskedSamples[] {
  const isNew = answer !== null && events.every(({ id }) => id !== answer.id);
  return [...events, ...(isNew ? [answer] : [])].flatMap((event) => shown(run, event)).toReversed();
}

function shown(run: string, { id, step, outcome, made, samples = null }: SteeringEvent): AskedSamples[] {
  if (outcome !== 'applied' || typeof made?.view !== 'string' || typeof made.count !== 'number') return [];
  const file = /^samples\/asked\/([^/]+\.png)$/.exec(made.view)?.[1];
  const picture = file === undefined ? null : ofRun(run, `/asked/${encodeURIComponent(file)}`);
  return [{ id, step, count: made.count, picture, made: { ...asObject(samples), file: made.view } }];
}

function asObject(value: Json): { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as { readonly [name: string]: Json })
    : {};
}
