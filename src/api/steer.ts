import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { readRun } from '../runs/run-folder.ts';
import { seeHolder } from '../runs/holder.ts';
import type { LockRecord } from '../runs/lock-record.ts';
import { readSteering } from '../runs/steering-events.ts';
import { placeOfRequest, withdrawRequest, writeRequest } from '../runs/steering-requests.ts';
import type { SteeringEvent, SteeringRequest } from '../steering/event.ts';
import { type RectiflowError, fileError, runError, systemProblem } from '../tensor/errors.ts';
import { counted } from '../tensor/counted.ts';

export interface SteerOptions {
  /** Seconds to wait for the step that is running; 60 by default. Samples are waited for until they are made. */
  readonly timeout?: number | undefined;
  /** Waits no longer; what was not taken by then is withdrawn. */
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds between two looks for an answer, of which each tenth is one for the process that trains. */
const look = 100;

/**
 * Asks a run that trains for something: to pause, to go on, to save, to stop, to go on with other settings, or to make samples with the
 * weights that it has. It does so between two steps.
 * @param run its folder
 * @returns what became of it; `refused` with a sentence where it cannot be done
 * @throws RectiflowError when it is no run, no process trains it, or none has taken the request in time: then nothing was done
 */
export async function steerRun(
  run: string,
  request: SteeringRequest,
  { timeout = 60, signal }: SteerOptions = {},
): Promise<SteeringEvent> {
  signal?.throwIfAborted();
  await readRun(run);
  const holder = await holderOf(run);
  if (holder === undefined) throw nobody(run, 'no process trains it');
  const id = await writeRequest(run, holder.owner, request).catch((error: unknown) => {
    const advice = 'Free some space or check the disk, and who may write there';
    throw fileError(run, `the request cannot be written: ${systemProblem(error)}`, advice, error);
  });
  const looks = Math.ceil((1000 * timeout) / look);
  for (let count = 0; ; count++) {
    const answer = await answerOf(run, id);
    if (answer) return answer;
    const isLate = count >= looks || signal?.aborted === true;
    const isTrained = count % 10 !== 9 || (await holderOf(run))?.owner === holder.owner;
    // One that was taken meanwhile is answered at once, where the process still runs, but for samples, which take their time.
    const isWithdrawn = (isLate || !isTrained) && (await withdrawRequest(run, id));
    if (isWithdrawn || !isTrained) {
      const last = isWithdrawn ? undefined : await answerOf(run, id);
      if (last) return last;
      signal?.throwIfAborted();
      throw isTrained
        ? notTaken(run, holder, timeout)
        : nobody(run, `training ended before it ${isWithdrawn ? 'took' : 'answered'} the request`);
    }
    if (request.kind === 'sample') signal?.throwIfAborted();
    await sleep(look);
  }
}

/** @throws RectiflowError where the request was taken, and there will be none */
async function answerOf(run: string, id: string): Promise<SteeringEvent | undefined> {
  // In this order: an event is there before its request is gone.
  const place = await placeOfRequest(run, id);
  if (place === 'waiting') return undefined;
  const event = (await readSteering(run)).find((each) => each.id === id);
  if (event || place === 'taken') return event;
  const problem = 'the request was dropped: the process that trains could not record it, or has ended';
  throw runError(run, problem, 'Look into notices.log there, free some space on its disk, and ask again');
}

/** The lock of the process that has the run; undefined where none has it. */
async function holderOf(run: string): Promise<LockRecord | undefined> {
  const { state, record } = await seeHolder(run, await readdir(run).catch((): string[] => []));
  return state === 'held' ? record : undefined;
}

function nobody(run: string, problem: string): RectiflowError {
  return runError(run, problem, `Nothing was done. Go on with it (rectiflow resume ${run}), and ask again`);
}

function notTaken(run: string, { pid, host }: LockRecord, timeout: number): RectiflowError {
  const problem = `process ${pid} on ${host} took nothing within ${counted(timeout, 'second')}`;
  return runError(run, problem, 'Nothing was done. Where a step takes longer, wait longer (--wait, timeout)');
}
