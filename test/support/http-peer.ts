import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** A request as the peer received it. */
export interface Received {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly type: string | undefined;
  readonly body: Buffer;
  /** The body, where it is JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any;
}

export interface Answer {
  readonly status?: number;
  readonly json?: unknown;
  /** Of a redirection. */
  readonly location?: string;
}

/** A server on this machine for one test. */
export interface Peer {
  readonly url: string;
  readonly received: Received[];
}

/** @param answer may throw, which is an answer of 500 */
export async function startPeer(answer: (request: Received) => Answer): Promise<Peer> {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { authorization, 'content-type': type } = request.headers;
    const isJson = type?.startsWith('application/json') ?? false;
    const asked: Received = {
      method: request.method!,
      path: request.url!,
      authorization,
      type,
      body,
      json: isJson ? JSON.parse(body.toString()) : undefined,
    };
    received.push(asked);
    let answered: Answer;
    try {
      answered = answer(asked);
    } catch (error) {
      answered = { status: 500, json: { error: String(error) } };
    }
    const { status = 200, location } = answered;
    response.writeHead(status, { 'content-type': 'application/json', ...(location && { location }) });
    response.end(JSON.stringify(answered.json ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}
