// Requests to a run that trains: small files in its folder, each written as a whole by who asks, and taken by the process that trains.
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceDurably } from '../host/durable.ts';
import { readRegular } from '../host/regular-file.ts';
import { isGone } from './lock-record.ts';

/** A request as it was found; what it asks may be anything. */
export interface FoundRequest {
  readonly id: string;
  /** Whose lock the run was held by when it was written. */
  readonly to: unknown;
  readonly asked: unknown;
}

/** Sorted by name they are in their order, of one clock. */
const REQUEST = /^([0-9a-z]{9}-[0-9a-f]{16})\.json$/;
const TAKEN = /\.taken$/;
/** One that somebody is writing, or was. */
const UNFINISHED = /\.tmp-\d+$/;
const MOST_BYTES = 1 << 20;
const PAUSED = 'paused';

export function steeringFolder(run: string): string {
  return join(run, 'steering');
}

function requestPath(run: string, id: string): string {
  return join(steeringFolder(run), `${id}.json`);
}

function takenPath(run: string, id: string): string {
  return join(steeringFolder(run), `${id}.taken`);
}

/** @param to the owner of the lock that the run is held by @returns the id of the event that will answer it */
export async function writeRequest(run: string, to: string, asked: unknown): Promise<string> {
  const id = `${Date.now().toString(36).padStart(9, '0')}-${randomBytes(8).toString('hex')}`;
  await mkdir(steeringFolder(run), { recursive: true });
  await replaceDurably(requestPath(run, id), `${JSON.stringify({ to, asked })}\n`);
  return id;
}

/** Where a request is: still to be taken, being taken, or neither. */
export async function placeOfRequest(run: string, id: string): Promise<'waiting' | 'taken' | 'gone'> {
  const names = new Set(await namesIn(run));
  return names.has(`${id}.json`) ? 'waiting' : names.has(`${id}.taken`) ? 'taken' : 'gone';
}

/** @returns whether it was still there; else it is taken, or was */
export async function withdrawRequest(run: string, id: string): Promise<boolean> {
  try {
    await rm(requestPath(run, id));
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** The ids of requests that nobody has taken, in their order. */
export async function waitingRequests(run: string): Promise<string[]> {
  return (await namesIn(run)).flatMap((name) => REQUEST.exec(name)?.[1] ?? []).toSorted();
}

/** @returns undefined where it is gone */
export async function readRequest(run: string, id: string): Promise<FoundRequest | undefined> {
  try {
    const { to, asked } = parsed(await readRegular(requestPath(run, id), MOST_BYTES));
    return { id, to, asked };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function parsed(bytes: Buffer): Partial<FoundRequest> {
  try {
    return (JSON.parse(bytes.toString()) as Partial<FoundRequest> | null) ?? {};
  } catch {
    return {};
  }
}

/** From now on it cannot be withdrawn. @returns false where it was */
export async function takeRequest(run: string, id: string): Promise<boolean> {
  try {
    await rename(requestPath(run, id), takenPath(run, id));
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

export async function removeRequest(run: string, id: string): Promise<void> {
  for (const path of [requestPath(run, id), takenPath(run, id)]) await rm(path, { force: true });
}

/** Nobody writes a request for so long, in milliseconds. */
const longestWrite = 60_000;

/** What processes left behind that ended while they took requests, or asked: who waited for an answer has seen that. */
export async function removeRequestLeftovers(run: string): Promise<void> {
  for (const name of await namesIn(run)) {
    const path = join(steeringFolder(run), name);
    if (TAKEN.test(name) || (UNFINISHED.test(name) && (await ageOf(path)) > longestWrite))
      await rm(path, { force: true });
  }
}

/** In milliseconds; 0 of what is not there. */
async function ageOf(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  );
}

/** Tells those who look at the folder that training waits, or no longer does. What cannot be written is only not told. */
export async function markPaused(run: string, isPaused: boolean): Promise<void> {
  const path = join(steeringFolder(run), PAUSED);
  await (isPaused ? writeFile(path, '') : rm(path, { force: true })).catch(() => {});
}

/** Whether the process that holds a run lets it wait. */
export async function isMarkedPaused(run: string): Promise<boolean> {
  return (await namesIn(run)).includes(PAUSED);
}

async function namesIn(run: string): Promise<string[]> {
  return readdir(steeringFolder(run)).catch((error: unknown) => {
    if (isGone(error)) return [];
    throw error;
  });
}
