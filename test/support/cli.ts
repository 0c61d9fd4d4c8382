// Runs the command line as users do: the built one, in a process of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

export const dist: string = fileURLToPath(new URL('../../dist/', import.meta.url));

export interface Finished {
  /** null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly process: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves once standard output matches. */
  saw(pattern: RegExp): Promise<void>;
}

const children: ChildProcess[] = [];
const folders: string[] = [];

// What a failed test has left: processes first, which may still write to the folders.
afterAll(async () => {
  for (const child of children.filter(
    ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
  )) {
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
});

/** A folder that is there until the tests of the file are over. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rectiflow-'));
  folders.push(folder);
  return folder;
}

export function rectiflow(folder: string, args: readonly string[]): Promise<Finished> {
  return startRectiflow(folder, args).finished;
}

/** @param environment beside that of the tests */
export function startRectiflow(
  folder: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Running {
  return start(folder, process.execPath, [join(dist, 'cli/main.js'), ...args], environment);
}

/** @param args what to put behind `node` */
export function startNode(folder: string, args: readonly string[]): Running {
  return start(folder, process.execPath, args);
}

export function start(
  folder: string,
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Running {
  if (!existsSync(dist)) throw new Error('There is no dist/: build it first, with npm run build');
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let stdout = '';
  let stderr = '';
  const waiting = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    for (const check of waiting) check();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const finished = new Promise<Finished>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  const saw = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        if (pattern.test(stdout)) resolve();
      };
      waiting.add(check);
      check();
      void finished.then(() => reject(new Error(`It ended without ${pattern}:\n${stdout}${stderr}`)));
    });
  return { process: child, finished, saw };
}
