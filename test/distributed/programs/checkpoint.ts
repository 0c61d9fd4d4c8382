// Saves what the ranks have of a state, beside collectives as training makes them; the last one may die in the middle of a save.
import { RunFolder } from '../../../src/runs/run-folder.ts';
import { openRunOfRanks } from '../../../src/runs/ranks/open-run.ts';
import type { Pace } from '../../../src/tensor/pace.ts';
import { averagesOf, piecesOf } from '../../support/run-of-ranks.ts';
import { joinRanks, report } from './join.ts';

const [path, dies] = process.argv.slice(2);
const communicator = await joinRanks();
const { rank, ranks } = communicator;
const run = await openRunOfRanks(communicator, () => RunFolder.create(path!, {}));
const retention = { keepCheckpoints: 2, keepEvery: 0 };

const saved = run.store.save(await piecesOf(rank, ranks), retention);
for (let step = 0; step < 100; step++) await communicator.gather(Float32Array.of(step));
const checkpoint = await saved;
if (dies !== undefined) {
  const rest = () => Promise.resolve(rank === ranks - 1 && process.kill(process.pid, 'SIGKILL'));
  await run.store.save(await piecesOf(rank, ranks, 1), retention, { rest } as unknown as Pace);
}
await run.store.storeAverages(10, 9, await averagesOf(rank, ranks));
const { step } = await run.store.latest();
report(rank, { checkpoint, step, has: await run.store.has(checkpoint) });
run.close();
await run.folder?.close();
await communicator.close();
