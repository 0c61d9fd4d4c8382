// Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
export interface StreamedEvent {
  readonly type: string;
  readonly data: unknown;
  readonly id?: string;
}

/** Writes to a stream of events. */
export interface EventWriter {
  send(events: readonly StreamedEvent[]): void;
  end(): void;
}

const heartbeatMs = 15_000;
/** How many writings a client may be behind before the stream ends; it comes back and says where it was. */
const mostWaiting = 256;

/** @param start begins to write; what it returns is called when nobody reads any more, or all is written */
export function eventStream(start: (writer: EventWriter) => () => void): Response {
  let finish = (): void => {};
  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const encoder = new TextEncoder();
        let isOver = false;
        let stop: (() => void) | undefined;
        const write = (text: string): void => {
          if (isOver) return;
          controller.enqueue(encoder.encode(text));
          if ((controller.desiredSize ?? 0) <= 0) writer.end();
        };
        const heartbeat = setInterval(() => write(':\n\n'), heartbeatMs).unref();
        finish = () => {
          if (isOver) return;
          isOver = true;
          clearInterval(heartbeat);
          stop?.();
        };
        const writer: EventWriter = {
          send: (events) => write(events.map(formatEvent).join('')),
          end() {
            if (isOver) return;
            finish();
            controller.close();
          },
        };
        // Some browsers show nothing of an answer before its first bytes.
        write(':\n\n');
        stop = start(writer);
        if (isOver) stop();
      },
      cancel: () => finish(),
    },
    { highWaterMark: mostWaiting },
  );
  return new Response(stream, {
    headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' },
  });
}

function formatEvent({ type, data, id }: StreamedEvent): string {
  // JSON on one line: what would part it within a string is escaped in it.
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}
