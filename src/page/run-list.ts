import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { listSome } from '../data/list-some.ts';
import { printable } from '../tensor/printable.ts';
import type { RunList, RunSummary } from './contract.ts';
import { LeadsOut } from './refusal.ts';
import { placeOf } from './run-place.ts';
import type { Summaries } from './run-summary.ts';

/** Runs that are looked at at a time. */
const atATime = 16;

/** All runs of a folder, the newest first; none where the folder is not there yet. */
export async function listRuns(folder: string, summaries: Summaries): Promise<RunList> {
  const root = await realpath(folder).catch(() => undefined);
  const entries = root === undefined ? [] : await readdir(root, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink());
  const runs: RunSummary[] = [];
  const outside: string[] = [];
  const paths = new Set<string>();
  const look = async (name: string): Promise<void> => {
    try {
      const place = await placeOf(root!, name);
      paths.add(place.path);
      runs.push(await summaries.of(place));
    } catch (error) {
      // Other folders are no runs, and a run may be deleted at any time.
      if (error instanceof LeadsOut) outside.push(name);
    }
  };
  const waiting = names.map(({ name }) => name);
  const worker = async (): Promise<void> => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) await look(name);
  };
  await Promise.all(Array.from({ length: atATime }, worker));
  summaries.keep(paths);
  const notes = outside.map((name) => printable(join(folder, name)));
  return {
    folder,
    runs: runs.toSorted(newestFirst),
    notes:
      notes.length === 0
        ? []
        : [`Symbolic links that lead out of the folder of runs are not followed: ${listSome(notes)}.`],
  };
}

function newestFirst(a: RunSummary, b: RunSummary): number {
  const [first, second] = [b.created ?? '', a.created ?? ''];
  return first < second ? -1 : first > second ? 1 : a.name < b.name ? -1 : 1;
}
