// Requests over the network that come to an end, whatever the other side does.
import { once } from 'node:events';

export interface FetchBounds {
  /** From the request to the last byte of the answer, in milliseconds. */
  readonly totalMs: number;
  /** Of silence: until the answer begins, and between two pieces of it. */
  readonly idleMs: number;
  /** Of the answer once it is unpacked. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Hears of the bytes that have come so far. */
  readonly onBytes?: (done: number) => void;
}

export interface BoundedAnswer {
  readonly ok: boolean;
  readonly status: number;
  readonly body: Buffer;
}

/**
 * Fetches an address as `fetch` does, into memory.
 *
 * The timers are our own, and what they end does not depend on whether `fetch` hears of it: Node.js 20 collects signals that
 * `AbortSignal.any` and `AbortSignal.timeout` make while a request waits for them.
 * @throws Error saying in words which bound was met; what `fetch` throws; the reason of the signal
 */
export async function boundedFetch(
  address: string,
  request: Omit<RequestInit, 'signal'>,
  { totalMs, idleMs, maxBytes, signal, onBytes }: FetchBounds,
): Promise<BoundedAnswer> {
  const stop = new AbortController();
  const stopped = once(stop.signal, 'abort').then(() => {
    throw stop.signal.reason;
  });
  let done = 0;
  const silent = setTimeout(() => {
    const before = done === 0 ? 'no answer' : `nothing more after ${done} bytes of the answer,`;
    stop.abort(new Error(`${before} within ${seconds(idleMs)}`));
  }, idleMs);
  const late = setTimeout(
    () => stop.abort(new Error(`the answer was not complete within ${seconds(totalMs)}`)),
    totalMs,
  );
  const onAbort = (): void => stop.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort);
  if (signal?.aborted) onAbort();
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  const receive = async (): Promise<BoundedAnswer> => {
    const { ok, status, body } = await fetch(address, { ...request, signal: stop.signal });
    silent.refresh();
    reader = body?.getReader();
    const pieces: Uint8Array[] = [];
    for (let piece = await reader?.read(); piece?.value; piece = await reader?.read()) {
      silent.refresh();
      done += piece.value.length;
      if (done > maxBytes) throw new Error(`the answer is longer than the ${maxBytes} bytes that are taken`);
      pieces.push(piece.value);
      onBytes?.(done);
    }
    // What was stopped must not look like the end of the answer.
    stop.signal.throwIfAborted();
    return { ok, status, body: Buffer.concat(pieces) };
  };
  try {
    return await Promise.race([receive(), stopped]);
  } finally {
    clearTimeout(silent);
    clearTimeout(late);
    signal?.removeEventListener('abort', onAbort);
    // Closes the connection where something is still to come.
    stop.abort();
    void reader?.cancel().catch(() => {});
  }
}

function seconds(milliseconds: number): string {
  return `${Number((milliseconds / 1000).toPrecision(2))} s`;
}
