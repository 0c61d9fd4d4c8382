// Work that may never end, in a thread of its own that is stopped when it takes too long: the patterns of a tokenizer from
// somewhere, a library on a damaged file. On the main thread such work would hear neither Ctrl-C nor a timer.
//
// A worker is a module `src/text/workers/<name>.ts`, listed in scripts/bundle.mjs, which ends with
//
//     serve((path: string) => ({ rows: (start: number, end: number) => ... }));
//
// and is used as
//
//     const worker = new Stoppable<{ rows(start: number, end: number): Float32Array }>('h5ad', path);
//     await worker.call('rows', [0, 100], { seconds: 10, tooLong: () => fileError(path, ...) });
//
// `call` leaves the event loop free, in which signals are heard; `callSync` blocks, for at most as many seconds. After a call that
// took too long the next one begins with a fresh thread. What the worker throws is thrown here, a RectiflowError as one.
import { MessageChannel, type MessagePort, Worker, receiveMessageOnPort } from 'node:worker_threads';
import { packageFolder } from '../../host/package-folder.ts';
import { type ErrorCode, RectiflowError } from '../../tensor/errors.ts';

export interface WorkerSetup<Setup> {
  readonly setup: Setup;
  /** For answers to calls that block, and the id of the last one that lies there. */
  readonly answers: MessagePort;
  readonly flag: Int32Array;
}

export interface Call {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
  /** By the event loop, in place of a thread that is blocked. */
  readonly isAwaited: boolean;
}

export interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly message: string; readonly code?: ErrorCode };
}

export interface CallLimit {
  readonly seconds: number;
  /** The error of a call that took longer, in words that name the file or the sample. */
  readonly tooLong: () => Error;
  /** Stops the thread too, and throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

interface Thread {
  readonly worker: Worker;
  readonly answers: MessagePort;
  readonly flag: Int32Array;
  readonly waiting: Map<number, { resolve(reply: Reply): void; reject(error: Error): void }>;
}

// oxlint-disable-next-line typescript/no-explicit-any -- any parameters at all
type Functions<C> = { readonly [Name in keyof C]: (...args: any[]) => unknown };

export class Stoppable<C extends Functions<C>> {
  readonly #name: string;
  readonly #setup: unknown;
  #thread: Thread | undefined;
  #calls = 0;

  /**
   * @param name of the worker's module
   * @param setup handed to it at its first call; copied
   */
  constructor(name: string, setup: unknown) {
    this.#name = name;
    this.#setup = setup;
  }

  /** @throws what the worker throws; `tooLong()`; the signal's reason */
  async call<Name extends keyof C & string>(
    name: Name,
    args: Parameters<C[Name]>,
    { seconds, tooLong, signal }: CallLimit,
  ): Promise<Awaited<ReturnType<C[Name]>>> {
    signal?.throwIfAborted();
    const { worker, waiting } = (this.#thread ??= this.#start());
    const id = ++this.#calls;
    worker.ref();
    const limit = setTimeout(() => this.#stop(tooLong()), 1000 * seconds);
    const abort = (): void => this.#stop(signal!.reason as Error);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const reply = await new Promise<Reply>((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        worker.postMessage({ id, name, args, isAwaited: true } satisfies Call);
      });
      return valueOf(reply) as Awaited<ReturnType<C[Name]>>;
    } finally {
      clearTimeout(limit);
      signal?.removeEventListener('abort', abort);
      waiting.delete(id);
      // A thread without work keeps no process.
      if (waiting.size === 0) worker.unref();
    }
  }

  /** @throws what the worker throws; `tooLong()` */
  callSync<Name extends keyof C & string>(
    name: Name,
    args: Parameters<C[Name]>,
    { seconds, tooLong }: Omit<CallLimit, 'signal'>,
  ): Awaited<ReturnType<C[Name]>> {
    const { worker, answers, flag } = (this.#thread ??= this.#start());
    const id = ++this.#calls;
    const before = Atomics.load(flag, 0);
    worker.postMessage({ id, name, args, isAwaited: false } satisfies Call);
    Atomics.wait(flag, 0, before, 1000 * seconds);
    const received = receiveMessageOnPort(answers) as { message: Reply } | undefined;
    if (received === undefined) {
      this.close();
      throw tooLong();
    }
    return valueOf(received.message) as Awaited<ReturnType<C[Name]>>;
  }

  /** Ends the thread, whatever it does; a further call would begin another. */
  close(): void {
    this.#stop(new Error(`the worker ${this.#name} was closed`));
  }

  #stop(reason: Error): void {
    const thread = this.#thread;
    this.#thread = undefined;
    if (thread === undefined) return;
    for (const { reject } of thread.waiting.values()) reject(reason);
    thread.answers.close();
    void thread.worker.terminate();
  }

  #start(): Thread {
    const { port1: answers, port2 } = new MessageChannel();
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const workerData: WorkerSetup<unknown> = { setup: this.#setup, answers: port2, flag };
    const worker = new Worker(new URL(`dist/workers/${this.#name}.js`, packageFolder), {
      workerData,
      transferList: [port2],
    });
    const thread: Thread = { worker, answers, flag, waiting: new Map() };
    worker.on('message', (reply: Reply) => thread.waiting.get(reply.id)?.resolve(reply));
    // Out of memory, say.
    worker.on('error', (error) => {
      if (this.#thread === thread) this.#stop(error);
    });
    // After the listeners: one of messages makes the thread keep the process again.
    worker.unref();
    return thread;
  }
}

function valueOf({ value, error }: Reply): unknown {
  if (error === undefined) return value;
  throw error.code === undefined ? new Error(error.message) : new RectiflowError(error.code, error.message);
}
