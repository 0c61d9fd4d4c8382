// Ranks that do something together for as long as nobody fails. What rank 1 does is the first argument.
import { joinRanks, tell } from './join.ts';

const what = process.argv[2];
const communicator = await joinRanks();
const { rank, ranks } = communicator;
tell(`rank ${rank} is process ${process.pid}.`);
await communicator.gather(new Float32Array(1));
try {
  if (rank === 1 && what === 'throws') {
    await othersWait();
    throw new Error('no such number');
  }
  if (rank === 1 && what === 'is stuck') for (;;);
  if (rank === 1 && what === 'exits') process.exit(3);
  if (rank === 1 && what === 'sums other arrays') await sum(1_000_000);
  if (rank === 1 && what === 'gathers') await communicator.gather(new Float32Array(1));
  // The others are in the middle of an exchange, and one does not come.
  const pending = what === 'waits' ? endless() : sum(3_000_000);
  const later = communicator
    .gather(new Float32Array(1))
    .catch((error: Error) => tell(`later: ${error.message}`));
  communicator.send(1, 'waits', rank);
  await pending;
  await later;
} catch (error) {
  const { message, code = 'no code' } = error as Error & { code?: string };
  const isOwn = !communicator.isToldElsewhere(error);
  if (isOwn) communicator.fail(message);
  tell(`rank ${rank} ends ${isOwn ? 'by itself' : 'with the others'} (${code}): ${message}`);
  await communicator.gatherJson(1).catch((later: Error) => tell(`rank ${rank} asks again: ${later.message}`));
  tell(`rank ${rank} failure: ${communicator.failure.reason}`);
  process.exitCode = 1;
}
await communicator.close();

function othersWait(): Promise<void> {
  let waiting = 0;
  return new Promise((resolve) => {
    communicator.onMessage('waits', () => ++waiting === ranks - 1 && resolve());
  });
}

async function sum(numbers: number): Promise<void> {
  const cuts = Array.from({ length: ranks + 1 }, (_, k) => Math.floor((k * numbers) / ranks));
  await communicator.sumRanges([{ values: new Float32Array(numbers), cuts }]);
}

async function endless(): Promise<void> {
  for (;;) await communicator.gather(new Float32Array(1000));
}
