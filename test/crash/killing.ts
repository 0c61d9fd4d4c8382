import { existsSync } from 'node:fs';
import { readdir, stat, watch } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkpointFolder } from '../../src/runs/run-folder.ts';
import type { Running } from '../support/cli.ts';

/** How long a save takes at most, in about: fsync is slow on some disks. */
const SAVE_MILLISECONDS = 25;

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Kills a process that trains: at any instant of its life, or, more often than not, soon after one of its next saves began.
 * @param lifetime how long it would live, in milliseconds
 */
export async function killAtRandom(
  { process, finished }: Running,
  run: string,
  lifetime: number,
  random: () => number,
): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  const ended = finished.then(() => controller.abort());
  const waiting =
    random() < 0.6 && existsSync(checkpointFolder(run))
      ? waitForSaves(run, 1 + Math.floor(8 * random()), signal).then(() =>
          sleep(SAVE_MILLISECONDS * random(), undefined, { signal }),
        )
      : sleep(lifetime * random(), undefined, { signal });
  await waiting.catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  process.kill('SIGKILL');
  await ended;
}

async function waitForSaves(run: string, count: number, signal: AbortSignal): Promise<void> {
  const begun = new Set<string>();
  for await (const { filename } of watch(checkpointFolder(run), { signal })) {
    if (filename?.startsWith('.saving-')) begun.add(filename);
    if (begun.size === count) return;
  }
}

/** What lies in a run's folder of saves that have not come to their end. One that was begun anew is another. */
export async function partsOfSaves(run: string): Promise<string[]> {
  const folder = checkpointFolder(run);
  if (!existsSync(folder)) return [];
  const names = (await readdir(folder)).filter((name) => name.startsWith('.'));
  return Promise.all(
    names.map(async (name) => {
      const { ino, ctimeMs } = await stat(join(folder, name));
      return `${name} ${ino} ${ctimeMs}`;
    }),
  );
}
