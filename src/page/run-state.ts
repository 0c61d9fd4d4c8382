// What a run is doing, and the sentence that tells it.
import type { SeenHolder } from '../runs/holder.ts';
import { grouped } from '../tensor/counted.ts';
import { printable } from '../tensor/printable.ts';
import type { RunState, RunSummary } from './contract.ts';

interface Seen {
  /** Why its config cannot be read. */
  readonly problem: string | undefined;
  readonly holder: SeenHolder;
  /** Whether who holds it waits. */
  readonly isPaused: boolean;
  readonly step: number;
  readonly steps: number | null;
}

export function stateOf({
  problem,
  holder,
  isPaused,
  step,
  steps,
}: Seen): Pick<RunSummary, 'state' | 'sentence'> {
  const done = steps === null ? `step ${grouped(step)}` : `step ${grouped(step)} of ${grouped(steps)}`;
  const told = (state: RunState, sentence: string): Pick<RunSummary, 'state' | 'sentence'> => ({
    state,
    sentence: printable(sentence),
  });
  if (problem !== undefined) return told('damaged', problem);
  const { state, record } = holder;
  if (state === 'held') {
    const who = record ? ` by process ${record.pid} on ${record.host}` : '';
    if (isPaused) return told('paused', `Is held${who}, which waits after ${done}.`);
    return told('training', `Is trained${who}: ${done}.`);
  }
  if (steps !== null && step >= steps) return told('finished', `All ${grouped(steps)} steps are done.`);
  if (state === 'lapsed')
    return told(
      'failed',
      `The process that trained it was killed, or its machine went down, after ${done}. It can be resumed.`,
    );
  return told('stopped', `No process trains it, after ${done}. It can be resumed.`);
}
