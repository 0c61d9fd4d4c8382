// What a page hears of a run, over HTTP.
import type { LiveEvent, LogRecord } from '../../src/page/contract.ts';
import type { PageServer } from './page.ts';

export interface Heard {
  readonly id: string;
  readonly type: LiveEvent['type'];
  readonly data: Record<string, unknown>;
}

/** A stream of events, as it is read. */
export class Stream {
  readonly heard: Heard[] = [];
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  isOver = false;

  static async open(page: PageServer, run: string, after?: string): Promise<Stream> {
    const stream = new Stream();
    const headers: Record<string, string> = after === undefined ? {} : { 'last-event-id': after };
    const answer = await page.fetch(`/api/runs/${run}/live`, { signal: stream.#stop.signal, headers });
    if (answer.headers.get('content-type') !== 'text/event-stream') throw new Error(await answer.text());
    void stream.#read(answer.body!);
    await stream.until(() => stream.heard.length > 0);
    return stream;
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let text = '';
    try {
      for await (const part of body.pipeThrough(new TextDecoderStream())) {
        text += part;
        const events = text.split('\n\n');
        text = events.pop()!;
        for (const event of events) this.#hear(event);
        for (const check of this.#waiting) check();
      }
    } catch {
      // It was closed.
    }
    this.isOver = true;
    for (const check of this.#waiting) check();
  }

  #hear(text: string): void {
    if (text.startsWith(':')) return;
    const [, id, type, data] = /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(text)!;
    this.heard.push({
      id: id!,
      type: type as LiveEvent['type'],
      data: JSON.parse(data!) as Record<string, unknown>,
    });
  }

  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!holds()) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  of(type: LiveEvent['type']): Heard[] {
    return this.heard.filter((event) => event.type === type);
  }

  get steps(): number[] {
    return this.of('record').map(({ data }) => (data['record'] as LogRecord).step);
  }

  close(): void {
    this.#stop.abort();
  }
}
