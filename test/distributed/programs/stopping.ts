// Ranks that go on until one of them is told to stop, and then end with the code of that signal, as those that train do. An argument is
// the folder that they say to be working in.
import { toldLine } from '../../../src/distributed/handover.ts';
import { joinRanks, tell } from './join.ts';

const codes = { SIGUSR1: 85, SIGTERM: 143 };
let code = 0;
for (const [signal, own] of Object.entries(codes)) process.on(signal, () => (code ||= own));
const communicator = await joinRanks();
if (communicator.rank === 0) process.stderr.write(`${toldLine({ run: process.argv[2] ?? '/runs/first' })}\n`);
tell(`rank ${communicator.rank} is process ${process.pid}.`);
for (;;) {
  const all = await communicator.gatherJson(code);
  process.exitCode = all.find((each) => each !== 0) ?? 0;
  if (process.exitCode !== 0) break;
  await new Promise((resolve) => setTimeout(resolve, 20));
}
// As long as a checkpoint may take: Open MPI would have ended ranks by then that it has told to end.
await new Promise((resolve) => setTimeout(resolve, 2500));
if (communicator.rank === 0) {
  tell('saved');
  process.stderr.write(`${toldLine({ code: Number(process.exitCode) })}\n`);
}
await communicator.close();
