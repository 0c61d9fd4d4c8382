// The two ends of a measured process: lines of JSON on its standard input and output.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { timedRuns } from './timed-runs.ts';

/** What a process says when its first run is over. */
export interface Ready {
  /** Of the model; a loader has none. */
  readonly parameters?: number;
  /** Of the first step; a sampler has none. */
  readonly loss?: number;
  /** Of a loader: the mean of the first samples' values. */
  readonly mean?: number;
}

/** What a process says after a turn. */
export interface Turn {
  /** Of each timed run. */
  readonly milliseconds: readonly number[];
  /** The most memory that the process has held so far. */
  readonly peakBytes: number;
  /** Of the timed runs together, where they exchange anything with other processes. */
  readonly traffic?: Traffic;
}

/** What a process has exchanged with others of its kind. */
export interface Traffic {
  /** That it has sent; not everybody counts them. */
  readonly bytes?: number;
  /** In which it waited for them. */
  readonly seconds: number;
}

interface Question {
  readonly warmUps: number;
  /** How long to run what is timed; not at all where it is left out. */
  readonly seconds?: number;
}

/** A long-lived process that runs when it is told to and sleeps between turns. */
export class Contestant {
  readonly ready: Ready;
  /** From the start of the process to the end of its first run. */
  readonly startSeconds: number;
  private readonly child: ChildProcess;
  private readonly answers: AsyncIterator<string>;

  private constructor(child: ChildProcess, answers: AsyncIterator<string>, ready: Ready, seconds: number) {
    this.child = child;
    this.answers = answers;
    this.ready = ready;
    this.startSeconds = seconds;
  }

  /**
   * @param environment what its environment has beside that of this process
   * @throws Error when the process ends before it is ready; the reason that it gave is on the terminal
   */
  static async start(
    command: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Contestant> {
    const began = performance.now();
    const env = { ...process.env, ...environment };
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    // Of a process that cannot be started or has ended, what remains is the end of its output.
    child.on('error', () => child.stdout.destroy());
    child.stdin.on('error', () => child.stdout.destroy());
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ready = await nextAnswer<Ready>(answers, command);
    return new Contestant(child, answers, ready, (performance.now() - began) / 1000);
  }

  /** A second and a third run that do not count: until then allocators and caches of generated code still settle. */
  async settle(): Promise<void> {
    await this.ask({ warmUps: 2 });
  }

  /** An untimed run, then as many timed ones as it takes to fill the seconds, at least one. */
  async turn(seconds: number): Promise<Turn> {
    return this.ask({ warmUps: 1, seconds });
  }

  private ask(question: Question): Promise<Turn> {
    this.child.stdin!.write(`${JSON.stringify(question)}\n`);
    return nextAnswer(this.answers, this.child.spawnfile);
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin!.end();
    await ended;
  }
}

async function nextAnswer<T>(answers: AsyncIterator<string>, command: string): Promise<T> {
  const { value, done } = await answers.next();
  if (done === true) throw new Error(`${command} ended early`);
  return JSON.parse(value) as T;
}

/** What is measured. */
export interface Work {
  warmUp(): Promise<unknown>;
  run(): Promise<unknown>;
  /** Counters: what has been exchanged so far. */
  traffic?(): Required<Traffic>;
}

/** The measured end: runs once, says that it is ready, then takes turns until its input ends. */
export async function serve(work: Work, describe: () => Promise<Ready>): Promise<void> {
  const say = (answer: Ready | Turn): void => void process.stdout.write(`${JSON.stringify(answer)}\n`);
  await work.warmUp();
  say(await describe());
  for await (const line of createInterface({ input: process.stdin })) {
    const { warmUps, seconds } = JSON.parse(line) as Question;
    for (let i = 0; i < warmUps; i++) await work.warmUp();
    const before = work.traffic?.();
    const milliseconds = seconds === undefined ? [] : await timedRuns(work.run, seconds);
    const after = work.traffic?.();
    say({
      milliseconds,
      peakBytes: peakBytes(),
      ...(before &&
        after && {
          traffic: { bytes: after.bytes - before.bytes, seconds: after.seconds - before.seconds },
        }),
    });
  }
}

/** Linux counts what a process held before it became this one into maxRSS, but not into VmHWM. */
function peakBytes(): number {
  try {
    return 1024 * Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))![1]);
  } catch {
    return 1024 * process.resourceUsage().maxRSS;
  }
}
