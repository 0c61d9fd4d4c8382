// Messages in both directions, among them long ones, while a collective waits for a rank that comes late.
import { joinRanks, report } from './join.ts';

const communicator = await joinRanks();
const { rank, ranks } = communicator;
const last = ranks - 1;
const count = 300;
const got: Record<string, unknown[]> = {};
let answers = 0;
const late = withResolvers();
// Nobody listens yet when it comes.
communicator.send(0, 'early', { from: rank });
for (let to = 0; to < ranks; to++)
  for (let i = 0; i < count; i++)
    communicator.send(to, 'counted', i % 100 === 7 ? { i, text: 'x'.repeat(500_000) } : { i });
communicator.onMessage('counted', (message, from) => {
  const { i, text = '' } = message as { i: number; text?: string };
  (got[from] ??= []).push(i + (text.length === 0 || text.length === 500_000 ? 0 : NaN));
  if (i === count - 1) communicator.send(from, 'answer', rank);
});
communicator.onMessage('answer', () => {
  if (++answers === ranks) late.resolve();
});
// The last one joins in only after all of its messages were answered: by ranks that wait in here.
if (rank === last) await late.promise;
const sum = communicator.gather(Float32Array.of(answers));
if (rank !== last) await late.promise;
await sum;
const early: unknown[] = [];
communicator.onMessage('early', (message) => early.push(message));
report(rank, { got, early });
await communicator.close();

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
