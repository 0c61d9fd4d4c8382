// Runs a call in a process of its own, so that the server answers meanwhile.
import { type ChildProcess, fork } from 'node:child_process';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { packageFolder } from '../../host/package-folder.ts';
import type { Json } from '../contract.ts';
import { Refusal } from '../refusal.ts';
import type { JobCall, JobMessage } from './calls.ts';

/** As scripts/bundle.mjs makes it. */
const worker = fileURLToPath(new URL('dist/workers/page-job.js', packageFolder));
/** Behind a training on the same machine, as `nice` has it. */
const priority = 10;
/** How long one that is to stop may take. */
const patienceMs = 2000;

export interface CallHooks {
  readonly signal: AbortSignal;
  onProgress?(what: string, done: number, total: number): void;
  onNotice?(text: string): void;
}

/**
 * @throws Refusal with what the process says went wrong; an Error where that is a fault of the program; the signal's reason
 */
export async function callInProcess(
  call: JobCall,
  { signal, onProgress, onNotice }: CallHooks,
): Promise<Json> {
  signal.throwIfAborted();
  const child = fork(worker, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [] });
  const stop = (): void => stopProcess(child);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise<Json>((resolve, reject) => {
      let said = '';
      child.stderr!.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)));
      child.on('message', (message: JobMessage) => {
        if (message.kind === 'progress') onProgress?.(message.what, message.done, message.total);
        else if (message.kind === 'notice') onNotice?.(message.text);
        else if (message.kind === 'result') resolve(message.result);
        else reject(message.isOurs ? new Error(message.message) : new Refusal(400, message.message));
      });
      child.on('error', reject);
      child.on('close', (code, name) => {
        if (signal.aborted) reject(signal.reason as Error);
        else if (name !== null) reject(new Refusal(500, killed(name)));
        else reject(new Error(`The process of a job ended with ${code}. ${said}`));
      });
      child.send(call);
      lower(child);
    });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function killed(name: NodeJS.Signals): string {
  const sentence = `The process that did this was ended by ${name} before it was done.`;
  return name === 'SIGKILL'
    ? `${sentence} Perhaps there was not enough memory: ask for less at a time.`
    : sentence;
}

function stopProcess(child: ChildProcess): void {
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), patienceMs).unref();
}

function lower({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, priority);
  } catch {
    // Where that is not allowed it goes on as it is.
  }
}
