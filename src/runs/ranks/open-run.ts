import { join, resolve } from 'node:path';
import { digestFile } from '../../host/durable.ts';
import type { Communicator } from '../../train/ranks/communicator.ts';
import type { RunStore } from '../../train/run-store.ts';
import type { RunRecord } from '../../kept/record.ts';
import type { RunFolder } from '../run-folder.ts';
import { FirstRankStore } from './first-rank-store.ts';
import { JointWork } from './joint-work.ts';
import { OtherRankStore } from './other-rank-store.ts';
import { notShared, seeing } from './shared-folder.ts';

/** A run as a rank has it. */
export interface RunOfRank {
  readonly store: FirstRankStore | OtherRankStore;
  /** What config.json says. */
  readonly record: RunRecord;
  /** Of rank 0, which closes it. */
  readonly folder?: RunFolder;
  /** Lets go of the other ranks. */
  close(): void;
}

interface RunOrder extends Pick<RunStore, 'path' | 'badStepsPath'> {
  readonly record: RunRecord;
  /** Where config.json is, and what identifies it. */
  readonly config: string;
  readonly sha256: string;
}

/**
 * Opens a run on all ranks, which begin this together.
 * @param open makes the folder, or takes it up again; called on rank 0 alone
 * @throws RectiflowError on all of them what `open` throws, and where one does not see the folder
 */
export async function openRunOfRanks(
  communicator: Communicator,
  open: () => Promise<RunFolder>,
): Promise<RunOfRank> {
  const opening = new JointWork(communicator, 'run');
  try {
    return communicator.rank === 0
      ? await openFirst(communicator, opening, open)
      : await openOther(communicator, opening);
  } finally {
    opening.close();
  }
}

async function openFirst(
  communicator: Communicator,
  opening: JointWork,
  open: () => Promise<RunFolder>,
): Promise<RunOfRank> {
  let folder: RunFolder;
  await opening.lead(async (together) => {
    folder = await open();
    const { path, badStepsPath, record } = folder;
    const config = resolve(join(path, 'config.json'));
    const { sha256 } = await digestFile(config);
    const order: RunOrder = { path, badStepsPath, record, config, sha256 };
    await together(order, async () => {});
  });
  const store = new FirstRankStore(folder!, communicator);
  return { store, record: folder!.record, folder: folder!, close: () => store.close() };
}

async function openOther(communicator: Communicator, opening: JointWork): Promise<RunOfRank> {
  let seen: RunOrder;
  await opening.follow(async (told) => {
    seen = told as RunOrder;
    const { config, sha256 } = seen;
    const found = await seeing(config, () => digestFile(config));
    if (found.sha256 !== sha256) throw notShared(config, 'is another one than rank 0 sees there');
  });
  const store = new OtherRankStore(seen!, communicator);
  return { store, record: seen!.record, close: () => store.close() };
}
