// A job of ranks under mpirun: what it shows, how it is told to stop, and how it has ended.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { RectiflowError, systemProblem } from '../tensor/errors.ts';
import { ranksLostExitCode } from './exit-code.ts';
import { type Told, readTold } from './handover.ts';
import type { MpiKind } from './native.ts';
import { Lines, OutputBeforeFrame } from './job-output.ts';
import { type EndedRank, LauncherWords } from './launcher-words.ts';

export interface JobOptions {
  readonly kind: MpiKind;
  readonly program: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Standard output of the ranks, as it comes. */
  onOutput(bytes: Uint8Array): void;
  /** A line of the ranks' standard error. */
  onErrorLine(line: string): void;
  onTold(told: Told): void;
  /** Milliseconds that mpirun may take to end once ranks have said that all end. */
  readonly graceMs?: number | undefined;
}

export interface JobEnd {
  /** `failed` is what a rank said itself, and would say again. */
  readonly kind: 'done' | 'stopped' | 'lost' | 'failed';
  /** To end with. */
  readonly code: number;
  /** Why ranks were lost, where none of them could tell. */
  readonly sentence: string | undefined;
}

/** How long mpirun may take to end its ranks. */
const killMs = 4000;

export class Job {
  readonly ended: Promise<JobEnd>;
  readonly #child: ChildProcess;
  readonly #kind: MpiKind;
  #hasRun = false;

  /** @throws RectiflowError (by `ended`) where mpirun cannot be started */
  constructor({
    kind,
    program,
    arguments: args,
    environment,
    onOutput,
    onErrorLine,
    onTold,
    graceMs = 5000,
  }: JobOptions) {
    // In a session of its own: a Ctrl-C of the terminal must not reach mpirun, which would end the ranks before they have saved.
    // Its standard input is ours to close: rank 0 hears from its end that nobody is there any more.
    const child = spawn(program, args, { env: environment, detached: true, stdio: 'pipe' });
    this.#child = child;
    this.#kind = kind;
    let said: Facts['said'];
    let stoppedBy: number | undefined;
    let ending: NodeJS.Timeout | undefined;
    const words = new LauncherWords((line) => {
      if (line.startsWith('error: ')) said ??= 'failed';
      if (line.startsWith('rectiflow: ')) said ??= 'lost';
      // mpirun may wait for a machine that nobody reaches any more, and does not hear SIGTERM then.
      if (/^rectiflow: .* All ranks end\.$/.test(line))
        ending ??= setTimeout(() => child.kill('SIGKILL'), graceMs).unref();
      onErrorLine(line);
    });
    child.stdin.on('error', () => {});
    const output = new OutputBeforeFrame(onOutput, (line) => words.take(line));
    child.stdout.on('data', (bytes: Buffer) => output.take(bytes));
    const lines = new Lines((line) => {
      const told = readTold(line);
      if (told === undefined) return words.take(line);
      this.#hasRun ||= told.run !== undefined;
      stoppedBy ??= told.code;
      onTold(told);
    });
    child.stderr.on('data', (bytes: Buffer) => lines.take(bytes));
    this.ended = new Promise((resolve, reject) => {
      child.on('error', (error) =>
        reject(
          new RectiflowError('ranks', `--ranks: ${program} could not be started: ${systemProblem(error)}.`),
        ),
      );
      child.on('close', (code, signal) => {
        clearTimeout(ending);
        output.end();
        lines.end();
        words.flush();
        if (stoppedBy !== undefined && signal === null)
          resolve({ kind: 'stopped', code: stoppedBy, sentence: undefined });
        else resolve(describeEnd({ code, signal, words, said, program, kind }));
      });
    });
    // Whoever waits for it hears of it; until then it is no rejection that nobody handles.
    this.ended.catch(() => {});
  }

  /**
   * Asks all ranks to save and end. mpirun passes on SIGUSR1, and no signal that would end it. Before there is a run there is nothing
   * to save, and the ranks may not hear it yet: they are ended.
   */
  stop(): void {
    this.#child.kill(this.#hasRun ? 'SIGUSR1' : 'SIGTERM');
  }

  /** Ends all ranks as they are: Open MPI's mpirun does so after a second, MPICH's other processes where mpirun is gone. */
  async kill(): Promise<void> {
    const closed = once(this.#child, 'close');
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(this.#kind === 'openmpi' ? 'SIGTERM' : 'SIGKILL');
    await Promise.race([closed, sleep(killMs, undefined, { ref: false })]);
    this.#child.kill('SIGKILL');
  }
}

interface Facts {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly words: LauncherWords;
  /** What a rank itself has said: that it cannot go on, or that others are lost. */
  readonly said: 'failed' | 'lost' | undefined;
  readonly program: string;
  readonly kind: MpiKind;
}

/** With what a job ends that was stopped and has saved: see src/cli/interrupt.ts. */
const stoppedCodes = [85, 129, 130, 143];

function describeEnd({ code, signal, words, said, program, kind }: Facts): JobEnd {
  const { ended, isConnectionLost, lostHost } = words;
  if (code === 0) return { kind: 'done', code, sentence: undefined };
  // A launcher then tells of the others, which it has ended itself.
  if (said === 'failed' && signal === null) return { kind: 'failed', code: 1, sentence: undefined };
  const wasKilled = kind === 'mpich' && code === constants.signals.SIGKILL;
  const wasEnded = wasKilled || (ended !== undefined && ended.signal !== constants.signals.SIGTERM);
  if (signal !== null || wasEnded || isConnectionLost || code === ranksLostExitCode) {
    const sentence =
      ended || wasKilled
        ? describeRank(ended ?? { rank: undefined, host: undefined, signal: code! })
        : signal !== null
          ? `${program} was ended by ${signal}, and all ranks with it.`
          : `${lostHost ?? 'A machine'}, or the network to it, was lost, and all ranks have ended.`;
    return { kind: 'lost', code: ranksLostExitCode, sentence: said ? undefined : sentence };
  }
  if (stoppedCodes.includes(code!)) return { kind: 'stopped', code: code!, sentence: undefined };
  return { kind: 'failed', code: code!, sentence: undefined };
}

function describeRank({ rank, host, signal }: EndedRank): string {
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
  const who = `${rank === undefined ? 'A rank' : `Rank ${rank}`}${host === undefined ? '' : ` on ${host}`}`;
  const why =
    signal === constants.signals.SIGKILL ? ', as where a machine has no memory left (dmesg tells)' : '';
  return `${who} was ended by ${name ?? `signal ${signal}`}${why}, and all others with it.`;
}
