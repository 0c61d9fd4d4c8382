// The folder of a run, as each of its ranks has it: rank 0 holds it, the others are told where it is.
import { type SavedCheckpoint, listCheckpoints } from '../../runs/checkpoint.ts';
import { openRunOfRanks } from '../../runs/ranks/open-run.ts';
import type { RunRecord } from '../../kept/record.ts';
import { type RunFolder, checkpointFolder } from '../../runs/run-folder.ts';
import type { RectiflowError } from '../../tensor/errors.ts';
import type { Communicator } from '../../train/ranks/communicator.ts';
import type { RunStore } from '../../train/run-store.ts';

/** Whose checkpoints are files. */
export interface FileStore extends RunStore {
  latest(onDamaged?: (problem: RectiflowError) => void): Promise<SavedCheckpoint>;
}

export interface RunPlace {
  readonly path: string;
  readonly store: FileStore;
  /** What config.json said when it was opened. */
  readonly record: RunRecord;
  /** Where it is held by this process. */
  readonly folder?: RunFolder | undefined;
  /** The last intact checkpoint; undefined where none was saved yet. All ranks call it. */
  latest(onDamaged?: (problem: RectiflowError) => void): Promise<SavedCheckpoint | undefined>;
  close(): Promise<void>;
}

/**
 * Where a run is kept. All ranks call it.
 * @param open makes the folder, or takes it up again; called by rank 0, and by whoever trains alone
 * @throws RectiflowError what `open` throws, and where a rank does not see the folder
 */
export async function openPlace(
  open: () => Promise<RunFolder>,
  communicator: Communicator | undefined,
): Promise<RunPlace> {
  const hasSaved = async (folder: RunFolder): Promise<boolean> =>
    (await listCheckpoints(checkpointFolder(folder.path))).length > 0;
  if (communicator === undefined) {
    const folder = await open();
    const { path, record } = folder;
    return {
      path,
      record,
      store: folder,
      folder,
      latest: async (onDamaged) => ((await hasSaved(folder)) ? folder.latest(onDamaged) : undefined),
      close: () => folder.close(),
    };
  }
  const { store, record, folder, close } = await openRunOfRanks(communicator, open);
  return {
    path: store.path,
    record,
    store,
    folder,
    async latest(onDamaged) {
      const [isThere] = await communicator.gatherJson(folder ? await hasSaved(folder) : null);
      return isThere ? store.latest(onDamaged) : undefined;
    },
    async close() {
      close();
      await folder?.close();
    },
  };
}
