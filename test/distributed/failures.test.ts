// Ranks that are killed, stopped, stuck or fail: all of them end, soon, and say once why.
import { beforeAll, describe, expect, it } from 'vitest';
import { ranksLostExitCode } from '../../src/distributed/exit-code.ts';
import { bundle, installed, isAlive, startRanks } from '../support/mpi.ts';

/** Of what all of it may take, beside the patience: launchers and this machine are slow. */
const limit = 25_000;
/** Long enough for ranks that take turns with other tests on few cores. */
const impatient = { env: { RECTIFLOW_PATIENCE: '3' }, limit };

let program: string;
beforeAll(async () => {
  program = await bundle('failing');
});

for (const mpi of installed)
  describe.skipIf(mpi.skipped)(`${mpi.kind}${mpi.skipped}`, () => {
    /** Starts ranks that wait for each other. @returns the process of each */
    async function waiting(ranks: number) {
      const running = startRanks(mpi, ranks, [program, 'waits'], impatient);
      const pids: number[] = [];
      for (let rank = 0; rank < ranks; rank++)
        pids.push(Number((await running.saw(new RegExp(`rank ${rank} is process (\\d+)\\.`)))[1]));
      return { running, pids };
    }

    it.each([0, 2])('where rank %i is killed, all end', async (victim) => {
      const { running, pids } = await waiting(3);
      process.kill(pids[victim]!, 'SIGKILL');
      const { code } = await running.ended;
      expect(code).not.toBe(0);
      expect(code).not.toBe(null);
      expect(await leftOf(pids)).toEqual([]);
    });

    it('a rank that is stopped is named, and all end', async () => {
      const { running, pids } = await waiting(3);
      process.kill(pids[2]!, 'SIGSTOP');
      const { code, stderr } = await running.ended;
      expect(code).toBe(ranksLostExitCode);
      const said =
        /^rectiflow: rank 2 on \S+ has not been heard of for 3 s: it, or the network to it, is gone\. All ranks end\.$/gm;
      expect(stderr.match(said)).toHaveLength(1);
      expect(stderr.match(/^rectiflow: /gm)).toHaveLength(1);
      expect(await leftOf(pids)).toEqual([]);
    });

    it('where rank 0 is stopped, the others say so, and all end', async () => {
      const { running, pids } = await waiting(3);
      process.kill(pids[0]!, 'SIGSTOP');
      const { code, stderr } = await running.ended;
      expect(code).toBe(ranksLostExitCode);
      expect(stderr).toMatch(/^rectiflow: rank 0 on \S+ has not been heard of for 3 s/m);
      expect(await leftOf(pids)).toEqual([]);
    });

    it('ranks that are all stopped for longer than the patience go on', async () => {
      const { running, pids } = await waiting(3);
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, 5000));
      for (const pid of pids) process.kill(pid, 'SIGCONT');
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect(pids.filter(isAlive)).toEqual(pids);
      process.kill(pids[1]!, 'SIGKILL');
      expect((await running.ended).stderr).not.toMatch(/^rectiflow: /m);
    });

    it('a rank whose JavaScript never comes back says so, and all end', async () => {
      const { code, stderr } = await startRanks(mpi, 2, [program, 'is stuck'], {
        env: { RECTIFLOW_PATIENCE: '1' },
        limit,
      }).ended;
      expect(code).toBe(ranksLostExitCode);
      expect(stderr).toMatch(
        /^rectiflow: rank 1 on \S+ is stuck: its JavaScript has not come back for 6 s\. All ranks end\.$/m,
      );
    });

    it('where a rank fails, the others hear why, in the middle of an exchange and later, and end in order', async () => {
      const { code, stdout, stderr } = await startRanks(mpi, 4, [program, 'throws'], { limit }).ended;
      // Of the launcher: that of the first to end, or of what it then kills.
      expect(code).not.toBe(0);
      expect(code).not.toBe(null);
      expect(stderr).not.toMatch(/^rectiflow: /m);
      const lines = stdout.split('\n').map((line) => line.replace(/ on [^:]+:/, ' on HOST:'));
      const why = 'rank 1 on HOST: no such number';
      expect(lines).toContain('rank 1 ends by itself (no code): no such number');
      for (const rank of [0, 2, 3]) {
        expect(lines).toContain(`rank ${rank} ends with the others (ranks): ${why}`);
      }
      for (const rank of [0, 1, 2, 3]) {
        expect(lines).toContain(`rank ${rank} asks again: ${why}`);
        expect(lines).toContain(`rank ${rank} failure: RectiflowError: ${why}`);
      }
      expect(lines.filter((line) => line === `later: ${why}`)).toHaveLength(3);
    });

    it.each([
      ['sums other arrays', 'to sum 1000000 numbers of 1 arrays'],
      ['gathers', 'to gather'],
    ])(
      'where a rank %s and the others do not, all end and say so, in place of waiting for ever',
      async (what, words) => {
        const { code, stderr } = await startRanks(mpi, 3, [program, what], impatient).ended;
        expect(code).toBe(1);
        expect(stderr).toMatch(
          new RegExp(
            `^rectiflow: ranks do not do the same: rank 0 on \\S+ waits for all to sum 3000000 numbers of 1 arrays, rank 1 on \\S+ ${words}\\. They need`,
            'm',
          ),
        );
      },
    );

    it('where a rank just exits, all end', async () => {
      const { code } = await startRanks(mpi, 3, [program, 'exits'], impatient).ended;
      expect(code).not.toBe(0);
      expect(code).not.toBe(null);
    });
  });

/** Those of processes that do not end within seconds: a launcher may end a little before what it has killed. */
async function leftOf(pids: readonly number[]): Promise<number[]> {
  for (let waited = 0; waited < 50 && pids.some(isAlive); waited++)
    await new Promise((resolve) => setTimeout(resolve, 100));
  return pids.filter(isAlive);
}
