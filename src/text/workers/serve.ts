import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { RectiflowError } from '../../tensor/errors.ts';
import type { Call, Reply, WorkerSetup } from './stoppable.ts';

/** What a worker can do, by name. Arguments and results are copied between threads, so functions cannot be among them. */
export type Calls = Readonly<Record<string, (...args: never[]) => unknown>>;

/**
 * Answers the calls of a `Stoppable`, one after the other: the last line of a worker's module.
 * @param open is called once, at the first call, with what the `Stoppable` was made with
 */
export function serve<Setup>(open: (setup: Setup) => Calls | Promise<Calls>): void {
  const { setup, answers, flag } = workerData as WorkerSetup<Setup>;
  let calls: Promise<Calls> | undefined;
  const answer = async ({ id, name, args, isAwaited }: Call): Promise<void> => {
    const reply = await run(async () =>
      (await (calls ??= Promise.resolve(open(setup))))[name]!(...(args as never[])),
    );
    // A thread that is blocked takes its answer from a port, once the flag says that it is there.
    const port: MessagePort = isAwaited ? parentPort! : answers;
    port.postMessage({ id, ...reply } satisfies Reply);
    if (isAwaited) return;
    Atomics.store(flag, 0, id);
    Atomics.notify(flag, 0);
  };
  let last = Promise.resolve();
  parentPort!.on('message', (call: Call) => (last = last.then(() => answer(call))));
}

async function run(work: () => Promise<unknown>): Promise<Pick<Reply, 'value' | 'error'>> {
  try {
    return { value: await work() };
  } catch (error) {
    const { message } = error instanceof Error ? error : new Error(String(error));
    return { error: { message, ...(error instanceof RectiflowError && { code: error.code }) } };
  }
}
