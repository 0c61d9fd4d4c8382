// Ranks that do something together for as long as nobody fails. What rank 1 does is the first argument.
import { joinRanks, tell } from './join.ts';

const what = process.argv[2];
const communicator = await joinRanks();
const { rank, ranks } = communicator;
tell(`rank ${rank} is process ${process.pid}.`);
await communicator.gather(new Float32Array(1));
try {
  if (rank === 1 && what === 'throws') throw new Error('no such number');
  if (rank === 1 && what === 'is stuck') for (;;);
  if (rank === 1 && what === 'exits') process.exit(3);
  // The others are in the middle of an exchange, and one does not come.
  const values = new Float32Array(3_000_000);
  const cuts = Array.from({ length: ranks + 1 }, (_, k) => (k * values.length) / ranks);
  const pending = what === 'waits' ? endless() : communicator.sumRanges([{ values, cuts }]);
  const later = communicator
    .gather(new Float32Array(1))
    .catch((error: Error) => tell(`later: ${error.message}`));
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

async function endless(): Promise<void> {
  for (;;) await communicator.gather(new Float32Array(1000));
}
