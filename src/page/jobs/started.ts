// Trainings that the page has begun: each is `rectiflow train` in a process of its own, which goes on when the server ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, open, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageFolder } from '../../host/package-folder.ts';
import type { StartedTraining } from '../contract.ts';
import { OpenLog } from '../log-file.ts';
import { Refusal } from '../refusal.ts';
import type { AskedConfig } from './calls.ts';
import { loadAsked, typedConfig } from './load-asked.ts';
import type { WorkFolder } from './work-folder.ts';

const program = fileURLToPath(new URL('dist/cli/main.js', packageFolder));
/** What it prints is kept in the folder of its run, by this name. */
export const outputName = 'output.log';
/** How much of that is told, in bytes and lines. */
const toldBytes = 16 << 10;
const toldLines = 40;
/** Between two looks for the folder of a run, and for how long. */
const lookMs = 200;

interface Started {
  readonly child: ChildProcess;
  /** The recipe, or the file of the server's own that holds what was typed. */
  readonly target: string;
  readonly started: string;
  output: string;
  run: string | undefined;
  /** Of one that ended without a run: what it printed last. */
  said: string | undefined;
}

export class StartedTrainings {
  readonly #runs: string;
  readonly #all: Started[] = [];

  /** @param runs the folder of runs */
  constructor(runs: string) {
    this.#runs = resolve(runs);
  }

  /**
   * Begins a training. What is wrong beyond its config is in its output.
   * @param work where the config is kept that the training reads
   * @throws Refusal where trainings would not come into the folder that is shown
   * @throws RectiflowError where the config is wrong
   */
  async start(config: AskedConfig, work: WorkFolder): Promise<StartedTraining> {
    // `rectiflow train` makes its folder below runs/ of where it is started.
    if (basename(this.#runs) !== 'runs') {
      const sentence = `Trainings are begun in a folder that is called runs, and this one is ${this.#runs}.`;
      throw new Refusal(409, `${sentence} Begin it on the command line: rectiflow train.`);
    }
    await loadAsked(config, false);
    const target = 'text' in config ? await work.newFile('run.yaml') : config.recipe;
    if ('text' in config) await writeFile(target, config.text);
    await mkdir(this.#runs, { recursive: true });
    const began = new Date();
    const output = join(this.#runs, `.starting-${process.pid}-${began.getTime()}-${this.#all.length}.log`);
    const file = await open(output, 'wx');
    try {
      const args = [program, 'train', target, ...config.settings.flatMap((setting) => ['--set', setting])];
      const child = spawn(process.execPath, args, {
        cwd: dirname(this.#runs),
        detached: true,
        stdio: ['ignore', file.fd, file.fd],
        windowsHide: true,
      });
      await new Promise<void>((done, fail) => child.once('spawn', done).once('error', fail));
      child.unref();
      const entry: Started = {
        child,
        target,
        started: began.toISOString(),
        output,
        run: undefined,
        said: undefined,
      };
      this.#all.push(entry);
      void this.#settle(entry);
      return await this.#describe(entry);
    } catch (error) {
      await rm(output, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  }

  /** Of this server, in the order in which they were begun. */
  list(): Promise<StartedTraining[]> {
    return Promise.all(this.#all.map((entry) => this.#describe(entry)));
  }

  /** Moves what it prints to the folder of its run, once there is one; the process goes on writing there. */
  async #settle(entry: Started): Promise<void> {
    while (entry.run === undefined) {
      const isOver = hasEnded(entry.child);
      const run = await this.#runOf(entry);
      if (run !== undefined) {
        const moved = join(this.#runs, run, outputName);
        const isMoved = await rename(entry.output, moved).then(
          () => true,
          () => false,
        );
        if (isMoved) entry.output = moved;
        entry.run = run;
      } else if (isOver) {
        entry.said = await lastOf(entry.output);
        await rm(entry.output, { force: true });
        return;
      }
      await new Promise((next) => setTimeout(next, lookMs).unref());
    }
  }

  /** The name of the run's folder, by what the program prints of it; undefined as long as there is none. */
  async #runOf({ output }: Started): Promise<string | undefined> {
    const text = await readFile(output, 'utf8').catch(() => '');
    const [, run] = /^run {6}(.+?)(?:, from step .*)?$/m.exec(text) ?? [];
    if (run === undefined) return undefined;
    const name = basename(run);
    const path = await realpath(join(this.#runs, name)).catch(() => undefined);
    return path === undefined ? undefined : name;
  }

  async #describe({ child, target, started, output, run, said }: Started): Promise<StartedTraining> {
    const printed = said ?? (await lastOf(output));
    return {
      pid: child.pid ?? 0,
      run: run ?? null,
      started,
      state: hasEnded(child) ? 'ended' : run === undefined ? 'starting' : 'running',
      exitCode: child.exitCode,
      output: isAbsolute(target) ? printed.replaceAll(target, typedConfig) : printed,
    };
  }
}

async function lastOf(output: string): Promise<string> {
  const lines = await OpenLog.with(output, (log) => log.tail(toldBytes)).catch((): string[] => []);
  return lines.slice(-toldLines).join('\n');
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
