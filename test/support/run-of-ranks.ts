// A run on all ranks of this process, and what they keep in it.
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Buffer as BackendBuffer } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { type RunOfRank, openRunOfRanks } from '../../src/runs/ranks/open-run.ts';
import { RunFolder } from '../../src/runs/run-folder.ts';
import type { Communicator } from '../../src/train/ranks/communicator.ts';
import type { Checkpoint, OpenTensors } from '../../src/train/run-store.ts';
import { Snapshot, openPowerAverages } from '../../src/train/snapshot.ts';
import { buffersOf, extentOf, model } from './owned-state.ts';
import { ranksOfProcess } from './ranks.ts';

const backend = referenceBackend();

export interface Ranks {
  readonly runs: readonly RunOfRank[];
  /** Of rank 0. */
  readonly folder: RunFolder;
  /** What each rank does, an error by its message. */
  outcomes<T>(act: (run: RunOfRank, rank: number) => Promise<T>): Promise<(T | string)[]>;
}

/** @param open makes a new run by default */
export async function openRanks(
  path: string,
  ranks: number | readonly Communicator[],
  open: () => Promise<RunFolder> = () => RunFolder.create(path, { name: 'x' }),
): Promise<Ranks> {
  const communicators = typeof ranks === 'number' ? ranksOfProcess(ranks) : ranks;
  const opened = await Promise.allSettled(communicators.map((each) => openRunOfRanks(each, open)));
  const runs = opened.map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
  return {
    runs,
    folder: runs[0]!.folder!,
    outcomes: (act) =>
      Promise.all(runs.map((run, rank) => act(run, rank).catch((error: Error) => error.message))),
  };
}

/** What a rank of some has of a checkpoint. @param seed of its numbers */
export async function piecesOf(rank: number, ranks: number, seed = 0): Promise<Checkpoint> {
  const extent = extentOf(rank, ranks);
  const snapshot = new Snapshot({ model, extent, buffers: await buffersOf(backend, seed, extent) });
  await snapshot.take();
  const state = { position: { epoch: 1, offset: seed }, seconds: 2.5 };
  return { ...snapshot.parts, step: 10 + seed, state, metadata: { updates: String(10 + seed) } };
}

const mark = '-of-another-machine';

/** What a rank of some has of the power-function averages. @param change is handed the buffers before they are read */
export async function averagesOf(
  rank: number,
  ranks: number,
  change: (buffers: Map<string, BackendBuffer>) => Promise<void> = async () => {},
): Promise<OpenTensors> {
  const extent = extentOf(rank, ranks);
  const buffers = await buffersOf(backend, 0, extent);
  await change(buffers);
  return openPowerAverages({ model, buffers, extent });
}

/** A rank whose machine has no such folder, but for messages the same. */
export function elsewhere(communicator: Communicator, folder: string): Communicator {
  return {
    ...communicator,
    onMessage: (topic, listener) =>
      communicator.onMessage(topic, (message, from) => {
        const told = JSON.stringify(message).replaceAll(folder, `${folder}${mark}`);
        listener(JSON.parse(told.replaceAll(mark + mark, mark)), from);
      }),
  };
}

/** All files of a folder, in the names of their paths. */
export async function filesIn(folder: string): Promise<Map<string, Buffer>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
  const files = paths.map(async (path) => [path.slice(folder.length + 1), await readFile(path)] as const);
  return new Map(await Promise.all(files));
}
