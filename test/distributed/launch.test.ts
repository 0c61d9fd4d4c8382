// How ranks are started, stopped and started again, with a stand-in for mpirun.
import { describe, expect, it } from 'vitest';
import { toldLine } from '../../src/distributed/handover.ts';
import { type LaunchOptions, launchRanks } from '../../src/distributed/launch.ts';
import { type MpiKind, mpiKinds } from '../../src/distributed/native.ts';
import { fakeMpirun } from '../support/fake-mpirun.ts';

interface Seen {
  readonly output: string;
  readonly errors: readonly string[];
  readonly notices: readonly string[];
  readonly runs: readonly string[];
  readonly end: { readonly kind: string; readonly code: number; readonly sentence: string | undefined };
}

interface Given extends Partial<LaunchOptions> {
  /** What the ranks print, and all that is told of them, in the order in which it comes. */
  onSeen?(text: string): void;
}

/** @param code of the rank: `run` is what it is to go on with */
async function launch(
  kind: MpiKind,
  code: string,
  { onSeen = () => {}, ...options }: Given = {},
): Promise<Seen> {
  const [errors, notices, runs]: string[][] = [[], [], []];
  let output = '';
  const note = (list: string[]) => (text: string) => {
    list.push(text);
    onSeen(text);
  };
  const end = await launchRanks({
    mpirun: await fakeMpirun(kind),
    ranks: 2,
    command: (run) => [
      process.execPath,
      '-e',
      `const run = process.argv[1]; ${code}`,
      ...(run === undefined ? [] : [run]),
    ],
    restarts: 0,
    handover: { columns: 90 },
    stop: new AbortController().signal,
    waitMs: 10,
    onJob: () => {},
    onOutput: (bytes) => {
      output += Buffer.from(bytes).toString();
      onSeen(output);
    },
    onErrorLine: note(errors!),
    onNotice: note(notices!),
    onRun: note(runs!),
    ...options,
  });
  return { output, errors: errors!, notices: notices!, runs: runs!, end };
}

/** Tells that there is a run, and saves where it is told to. */
const trains = `
process.on('SIGUSR1', () => { console.log('saved'); process.exit(85); });
process.stdin.resume().on('end', () => process.exit());
console.error(${JSON.stringify(toldLine({ run: '/runs/a' }))});
`;
const ranksLost = 75;
const killed = "process.kill(process.pid, 'SIGKILL'); setTimeout(() => {}, 10_000);";

describe.each(mpiKinds)('by the launcher of %s', (kind) => {
  it('what ranks write is passed on as it is, and what is told the launcher alone is not shown', async () => {
    const code = `process.stdout.write('a\\r\\u2588'); console.error('note: b'); console.error(${JSON.stringify(toldLine({ run: '/runs/ü' }))});`;
    const { output, errors, runs, end } = await launch(kind, code);
    expect({ output, errors, runs }).toEqual({ output: 'a\r\u2588', errors: ['note: b'], runs: ['/runs/ü'] });
    expect(end).toMatchObject({ kind: 'done', code: 0 });
  });

  it('ranks get how the terminal is, which MPI it is, and no core of their own', async () => {
    const code =
      'const { RECTIFLOW_LAUNCHER, RECTIFLOW_MPI, MPIRUN_ARGUMENTS } = process.env; console.log(JSON.stringify({ RECTIFLOW_LAUNCHER, RECTIFLOW_MPI, MPIRUN_ARGUMENTS }))';
    const { output } = await launch(kind, code, {
      mpiArguments: ['--given', '1'],
      hosts: [
        { name: 'a', slots: undefined },
        { name: 'b', slots: undefined },
      ],
    });
    const found = JSON.parse(output) as Record<string, string>;
    expect(found).toMatchObject({ RECTIFLOW_LAUNCHER: '{"columns":90}', RECTIFLOW_MPI: kind });
    expect(found['MPIRUN_ARGUMENTS']).toMatch(/^-n 2 --?bind-to none /);
    expect(found['MPIRUN_ARGUMENTS']).toMatch(/ --?hosts? a:1,b:1 /);
    expect(found['MPIRUN_ARGUMENTS']).toMatch(/ --given 1$/);
  });

  it('a run that is to stop is told by SIGUSR1, and nothing of that is shown', async () => {
    const stop = new AbortController();
    const { end, errors, output } = await launch(kind, trains, {
      stop: stop.signal,
      onRun: () => stop.abort(),
    });
    expect({ end, errors, output }).toMatchObject({
      end: { kind: 'stopped', code: 85 },
      errors: [],
      output: 'saved\n',
    });
  });

  it('before there is a run, ranks that are to stop are ended', async () => {
    const stop = new AbortController();
    const code =
      "process.on('SIGUSR1', () => console.log('heard')); setInterval(() => {}, 1000); console.log('begun');";
    const { output, errors } = await launch(kind, code, {
      stop: stop.signal,
      onSeen: (text) => text === 'begun\n' && stop.abort(),
    });
    expect({ output, errors }).toEqual({ output: 'begun\n', errors: [] });
  });

  it('a job may be ended as it is', async () => {
    let ended = Promise.resolve();
    let end = (): Promise<void> => ended;
    const { output } = await launch(kind, trains, {
      onJob: (job) => (end = () => job.kill()),
      onRun: () => (ended = end()),
    });
    await ended;
    expect(output).toBe('');
  });

  it('an error that a rank told itself is one of the user, and is not tried again', async () => {
    const { end, errors, notices } = await launch(kind, "console.error('error: no'); process.exitCode = 1", {
      restarts: 3,
    });
    expect({ end, errors, notices }).toEqual({
      end: { kind: 'failed', code: 1, sentence: undefined },
      errors: ['error: no'],
      notices: [],
    });
  });

  it('a rank that a signal ended is told of in a sentence, in place of the words of mpirun', async () => {
    const { end, errors } = await launch(kind, killed);
    expect({ code: end.code, errors }).toEqual({ code: ranksLost, errors: [] });
    const who = kind === 'openmpi' ? 'Rank 0' : 'A rank';
    expect(end.sentence).toBe(
      `${who} on here was ended by SIGKILL, as where a machine has no memory left (dmesg tells), and all others with it.`,
    );
  });

  it('a machine that mpirun misses is told of in a sentence, in place of its words', async () => {
    const dashes = '-'.repeat(74);
    const missed = [
      dashes,
      'ORTE has lost communication with a remote daemon.',
      '',
      '  HNP daemon   : [[19255,0],0] on node a',
      '  Remote daemon: [[19255,0],2] on node b',
      dashes,
      '[a:14038] plm:rsh: Warning: setpgid(14044,14044) failed in parent with errno=Permission denied(13)',
      'Abort(75) on node 0 (rank 0 in comm 0): application called MPI_Abort(MPI_COMM_WORLD, 75) - process 0',
    ];
    const { end, errors } = await launch(
      kind,
      `console.error(${JSON.stringify(missed.join('\n'))}); process.exitCode = 205`,
    );
    expect({ end, errors }).toEqual({
      end: {
        kind: 'lost',
        code: ranksLost,
        sentence: 'b, or the network to it, was lost, and all ranks have ended.',
      },
      errors: [],
    });
  });

  it('mpirun that waits on where all ranks have said that they end is ended', async () => {
    const said = 'rectiflow: rank 1 on b has not been heard of for 10 s. All ranks end.';
    const waits = `console.error(${JSON.stringify(said)}); setTimeout(() => {}, 60_000);`;
    const { end, errors } = await launch(kind, waits, { graceMs: 10 });
    expect({ end, errors }).toEqual({
      end: { kind: 'lost', code: ranksLost, sentence: undefined },
      errors: [said],
    });
  });

  it('where ranks were lost it goes on with the run, as often as it may', async () => {
    const lost = `console.log(run ?? 'first'); console.error('rectiflow: rank 1 on b is gone.'); console.error(${JSON.stringify(toldLine({ run: '/runs/a' }))}); process.exitCode = 75`;
    const { output, end, notices, errors } = await launch(kind, lost, { restarts: 2 });
    expect(output).toBe('first\n/runs/a\n/runs/a\n');
    expect(end).toEqual({ kind: 'lost', code: ranksLost, sentence: undefined });
    expect(errors).toEqual(Array(3).fill('rectiflow: rank 1 on b is gone.'));
    expect(notices).toEqual(
      [1, 2].map((n) => `all ranks are started again in 0.01 seconds, from the last checkpoint (${n} of 2).`),
    );
  });

  it('it begins again where ranks were lost before there was a run, and is done where that ends well', async () => {
    const once = `const { existsSync, writeFileSync } = require('node:fs'); const mark = process.env.MARK; console.log(run ?? 'first'); if (!existsSync(mark)) { writeFileSync(mark, ''); ${killed} }`;
    const { folder } = await fakeMpirun(kind);
    const environment = { ...process.env, MARK: `${folder}/mark` };
    const { output, end, notices } = await launch(kind, once, { restarts: 1, environment });
    expect({ output, end }).toMatchObject({ output: 'first\nfirst\n', end: { kind: 'done', code: 0 } });
    expect(notices).toHaveLength(2);
    expect(notices[1]).toContain('from the beginning (1 of 1)');
  });

  it('nothing is started again that was to stop meanwhile', async () => {
    const stop = new AbortController();
    const { output, end } = await launch(kind, "console.log('begun'); process.exitCode = 75", {
      restarts: 3,
      waitMs: 60_000,
      stop: stop.signal,
      onNotice: () => stop.abort(),
    });
    expect({ output, end }).toMatchObject({ output: 'begun\n', end: { kind: 'stopped' } });
  });
});

it('mpirun that cannot be started is named', async () => {
  const mpirun = { kind: 'openmpi', program: '/nowhere/mpirun' } as const;
  await expect(launch('openmpi', '', { mpirun })).rejects.toThrow(
    '--ranks: /nowhere/mpirun could not be started: no such file or folder.',
  );
});
