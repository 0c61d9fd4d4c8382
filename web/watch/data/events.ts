// Reads a stream of server-sent events by `fetch`, which can send the token; EventSource could only put it into the address.
import { RequestError, request, sentence } from './client.ts';

export interface StreamOptions {
  readonly signal: AbortSignal;
  /** Where to go on. */
  readonly position?: string;
  /** Is told each event, its data read as JSON. */
  readonly onEvent: (type: string, data: unknown) => void;
  /** Is told whether events come at the moment, and why not where the server has said so. */
  readonly onConnection?: (isConnected: boolean, why?: string) => void;
  /** Whether an event is the last that there will be. */
  readonly isLast: (type: string, data: unknown) => boolean;
}

const WAITS = [500, 1000, 2000, 5000, 10_000];

/**
 * Follows a stream, and goes on where it was when the connection is lost, until the last event or an abort. A server that was started
 * again wants another token, which a tab that is opened by its link brings for all.
 * @throws RequestError where the server refuses
 */
export async function follow(path: string, options: StreamOptions): Promise<void> {
  const { signal, onConnection } = options;
  let position = options.position;
  let failures = 0;
  while (!signal.aborted) {
    let why: string | undefined;
    try {
      const headers: Record<string, string> = { Accept: 'text/event-stream' };
      if (position !== undefined) headers['Last-Event-ID'] = position;
      const response = await request(path, { signal, headers });
      onConnection?.(true);
      for await (const event of eventsOf(response)) {
        failures = 0;
        position = event.id ?? position;
        const data: unknown = JSON.parse(event.data);
        options.onEvent(event.type, data);
        if (options.isLast(event.type, data)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      const status = error instanceof RequestError ? error.status : 0;
      if (status === 401) why = sentence(error);
      else if (status >= 400 && status < 500) throw error;
    }
    onConnection?.(false, why);
    await pause(WAITS[Math.min(failures++, WAITS.length - 1)]!, signal);
  }
}

interface ServerEvent {
  readonly id: string | undefined;
  readonly type: string;
  readonly data: string;
}

async function* eventsOf(response: Response): AsyncGenerator<ServerEvent> {
  let rest = '';
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).replaceAll('\r\n', '\n').split('\n\n');
      rest = blocks.pop()!;
      for (const block of blocks) {
        const event = parse(block);
        if (event !== undefined) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** One block of the stream; undefined for comments, which keep the connection. */
export function parse(block: string): ServerEvent | undefined {
  let [id, type]: [string | undefined, string] = [undefined, 'message'];
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [, field, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (field === 'id') id = value;
    if (field === 'event') type = value!;
    if (field === 'data') data.push(value!);
  }
  return data.length === 0 ? undefined : { id, type, data: data.join('\n') };
}

export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
