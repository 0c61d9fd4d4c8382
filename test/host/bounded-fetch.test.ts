import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { type FetchBounds, boundedFetch } from '../../src/host/bounded-fetch.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const unhurried = { totalMs: 50_000, idleMs: 50_000 };

interface Peer {
  readonly url: string;
  /** Resolves when the first connection is closed. */
  readonly closed: Promise<void>;
}

async function startPeer(
  answer: (response: ServerResponse, request: IncomingMessage) => void,
): Promise<Peer> {
  const server = createServer((request, response) => answer(response, request));
  const closed = new Promise<void>((resolve) => {
    server.once('connection', (socket) => socket.once('close', () => resolve()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, closed };
}

/** Fetches while what nobody holds is collected, as under a training. */
async function fetchUnderPressure(url: string, bounds: Partial<FetchBounds> = {}) {
  const began = performance.now();
  const collecting = setInterval(collectGarbage, 20);
  try {
    const answer = await boundedFetch(url, {}, { totalMs: 900, idleMs: 300, maxBytes: 1000, ...bounds });
    return { said: answer.body.toString(), ms: performance.now() - began };
  } catch (error) {
    return { said: (error as Error).message, ms: performance.now() - began };
  } finally {
    clearInterval(collecting);
  }
}

test('gives the answer as a whole, redirected too', async () => {
  const { url } = await startPeer((response, { url: path }) => {
    if (path === '/') response.writeHead(307, { location: '/there' }).end();
    else response.end('all of it');
  });
  expect((await fetchUnderPressure(url, unhurried)).said).toBe('all of it');
  expect((await fetchUnderPressure(url, { ...unhurried, maxBytes: 9 })).said).toBe('all of it');
});

test.each<readonly [string, (response: ServerResponse) => void, string, number, Partial<FetchBounds>]>([
  ['hangs before the headers', () => {}, 'no answer within 0.3 s', 300, {}],
  ['hangs after the headers', (response) => response.flushHeaders(), 'no answer within 0.3 s', 300, {}],
  [
    'hangs in the body',
    (response) => response.write('abc'),
    'nothing more after 3 bytes of the answer, within 0.3 s',
    300,
    {},
  ],
  [
    'sends a byte now and then',
    (response) => {
      const trickle = setInterval(() => response.write('.'), 100);
      response.once('close', () => clearInterval(trickle));
    },
    'the answer was not complete within 0.9 s',
    900,
    // The server is of this process, and a machine that does more may keep both waiting.
    { idleMs: 890 },
  ],
])(
  'a server that %s is given up in time, and its connection is closed',
  async (_, answer, said, least, bounds) => {
    const { url, closed } = await startPeer(answer);
    const outcome = await fetchUnderPressure(url, bounds);
    expect(outcome.said).toBe(said);
    expect(outcome.ms).toBeGreaterThan(least - 20);
    expect(outcome.ms).toBeLessThan(least + 2000);
    await closed;
  },
);

test.each<readonly [string, (response: ServerResponse) => void]>([
  [
    'never ends',
    async (response) => {
      const piece = Buffer.alloc(2 ** 16);
      while (!response.closed) {
        response.write(piece);
        await sleep(1);
      }
    },
  ],
  [
    'unpacks to far more than it is',
    (response) =>
      response.setHeader('content-encoding', 'gzip').end(gzipSync(Buffer.alloc(2 ** 26), { level: 9 })),
  ],
])('an answer that %s is not taken', async (_, answer) => {
  const { url, closed } = await startPeer(answer);
  const before = process.memoryUsage().arrayBuffers;
  const { said } = await fetchUnderPressure(url, { ...unhurried, maxBytes: 2 ** 20 });
  expect(said).toBe('the answer is longer than the 1048576 bytes that are taken');
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 25);
  await closed;
});

test("a caller's signal ends it, also one that has come before", async () => {
  const { url, closed } = await startPeer(() => {});
  const stop = new AbortController();
  const fetching = fetchUnderPressure(url, { ...unhurried, signal: stop.signal });
  await sleep(100);
  stop.abort(new Error('enough'));
  expect(await fetching).toMatchObject({ said: 'enough' });
  await closed;
  expect(await fetchUnderPressure(url, { signal: stop.signal })).toMatchObject({ said: 'enough' });
});

test('redirects that go in circles are an error', async () => {
  const { url } = await startPeer((response, { url: path }) =>
    response.writeHead(307, { location: `${path}x` }).end(),
  );
  const error = await boundedFetch(url, {}, { ...unhurried, maxBytes: 9 }).catch((caught: Error) => caught);
  expect(String((error as Error).cause)).toContain('redirect count exceeded');
});
