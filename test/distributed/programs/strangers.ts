// Ranks that are started by one MPI and told to use another.
import { joinRanks, tell } from './join.ts';

try {
  await joinRanks();
} catch (error) {
  tell((error as Error).message);
  process.exitCode = 1;
}
