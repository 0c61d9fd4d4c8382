// The same as launch.test.ts with the launchers that are installed, and ranks that reach each other by MPI.
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { JobEnd, Job } from '../../src/distributed/job.ts';
import { type LaunchOptions, launchRanks } from '../../src/distributed/launch.ts';
import { bundle, installed, isAlive } from '../support/mpi.ts';

let program: string;
beforeAll(async () => {
  program = await bundle('stopping');
});

interface Given extends Partial<LaunchOptions> {
  /** Called once for each start, with the process of each rank, when the run is known: they come on two streams. */
  onPids(pids: readonly number[], job: Job): void;
}

for (const { kind, launcher, skipped } of installed)
  describe.skipIf(skipped)(`${kind}${skipped}`, () => {
    async function launch(ranks: number, { onPids, ...options }: Given) {
      let [output, told, job] = ['', '', undefined as Job | undefined];
      const errors: string[] = [];
      const notices: string[] = [];
      const pids = new Map<number, number>();
      let [hasRun, hasBegun] = [false, false];
      const begin = (): void => {
        if (hasBegun || !hasRun || pids.size < ranks) return;
        hasBegun = true;
        onPids(
          Array.from({ length: ranks }, (_, rank) => pids.get(rank)!),
          job!,
        );
      };
      const end: JobEnd = await launchRanks({
        mpirun: { kind, program: launcher },
        ranks,
        command: (run) => [process.execPath, program, ...(run === undefined ? [] : [`${run}+`])],
        restarts: 0,
        handover: { columns: undefined },
        stop: new AbortController().signal,
        waitMs: 10,
        onJob: (begun) => {
          [job, told, hasRun, hasBegun] = [begun, '', false, false];
          pids.clear();
        },
        onOutput: (bytes) => {
          output += Buffer.from(bytes).toString();
          told += Buffer.from(bytes).toString();
          for (const [, rank, pid] of told.matchAll(/rank (\d+) is process (\d+)\./g))
            pids.set(Number(rank), Number(pid));
          begin();
        },
        onErrorLine: (line) => errors.push(line),
        onNotice: (text) => notices.push(text),
        onRun: (run) => {
          notices.push(run);
          hasRun = true;
          begin();
        },
        ...options,
      });
      return { output, errors, notices, end };
    }

    it('ranks that are to stop save first, and nothing of mpirun is shown', async () => {
      const stop = new AbortController();
      const { output, errors, end } = await launch(3, { stop: stop.signal, onPids: () => stop.abort() });
      expect({ errors, end }).toMatchObject({ errors: [], end: { kind: 'stopped', code: 85 } });
      expect(output).toContain('saved');
    });

    it('a signal to one rank stops all, and its code is that of the job', async () => {
      const { output, errors, end } = await launch(3, {
        onPids: (pids) => process.kill(pids[2]!, 'SIGTERM'),
      });
      expect({ errors, end }).toMatchObject({ errors: [], end: { kind: 'stopped', code: 143 } });
      expect(output).toContain('saved');
    });

    it('a rank that is killed ends all, and they go on with the run', async () => {
      const stop = new AbortController();
      let starts = 0;
      const { errors, notices, end } = await launch(2, {
        restarts: 2,
        stop: stop.signal,
        onPids: (pids) => {
          if (starts++ === 0) process.kill(pids[1]!, 'SIGKILL');
          else stop.abort();
        },
      });
      expect({ errors, end, starts }).toMatchObject({
        errors: [],
        end: { kind: 'stopped', code: 85 },
        starts: 2,
      });
      expect(notices).toEqual([
        '/runs/first',
        expect.stringMatching(
          /^(?:Rank 1|A rank)(?: on \S+)? was ended by SIGKILL, as where a machine has no memory left/,
        ),
        expect.stringMatching(/^all ranks are started again .*, from the last checkpoint \(1 of 2\)\.$/),
        '/runs/first+',
      ]);
    });

    it('ranks that are ended as they are save nothing, and none is left', async () => {
      let own: readonly number[] = [];
      let killed: Promise<void> | undefined;
      const { output } = await launch(2, {
        onPids: (pids, job) => {
          own = pids;
          killed = job.kill();
        },
      });
      await killed;
      expect(output).not.toContain('saved');
      // Those of MPICH end when they find that mpirun is gone.
      await vi.waitFor(() => expect(own.filter(isAlive)).toEqual([]), { timeout: 5000, interval: 50 });
    });
  });
