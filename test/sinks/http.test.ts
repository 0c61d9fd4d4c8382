import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { Http, RequestError } from '../../src/sinks/http.ts';
import { type Credentials, wandbCredentials } from '../../src/sinks/secrets.ts';
import { startPeer } from '../support/http-peer.ts';

const key = '0123456789abcdef0123456789abcdef01234567';
const credentialsFor = (url: string): Credentials =>
  wandbCredentials({}, { environment: { WANDB_API_KEY: key, WANDB_BASE_URL: url } });
const never = new AbortController().signal;

it('shows no part of a secret, wherever a long answer is cut', async () => {
  const { url } = await startPeer(({ path }) => ({
    status: 400,
    json: { error: '.'.repeat(Number(path.slice(1))) + key },
  }));
  for (let dots = 140; dots < 200; dots += 4) {
    const problem = await new Http(credentialsFor(url))
      .get(`/${dots}`, never)
      .catch((error: Error) => error.message);
    expect(problem).toMatch(/^GET http.*: the answer is 400 /);
    expect(problem).not.toContain(key.slice(0, 4));
  }
});

it('shows an answer without what a terminal would obey', async () => {
  const { url } = await startPeer(() => ({ status: 500, json: { error: '\u009b2J\u202e\u007f' } }));
  await expect(new Http(credentialsFor(url)).get('/', never)).rejects.toThrow(String.raw`\x9b2J\u202e\x7f`);
});

it.each([
  [400, false],
  [404, false],
  [408, true],
  [429, true],
  [503, true],
  [undefined, true],
])('%s: whether to try again is %s', (status, isTemporary) => {
  expect(new RequestError('no', status).isTemporary).toBe(isTemporary);
});

it('says in words that nobody is there', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  await expect(new Http(credentialsFor(`http://127.0.0.1:${port}`)).get('/api', never)).rejects.toThrow(
    `GET http://127.0.0.1:${port}/api: nothing listens there`,
  );
});

it('says which server hangs, breaks off, or sends without end', async () => {
  const server = createHttpServer((request, response) => {
    if (request.url === '/broken') request.socket.end();
    if (request.url === '/endless') response.end(Buffer.alloc(2 ** 20));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const http = new Http(credentialsFor(url), { idleMs: 200, totalMs: 5000, maxBytes: 1000 });
  const problemOf = (path: string): Promise<RequestError> =>
    http
      .post(path, { some: 'metrics' }, never)
      .catch((error: RequestError) => error) as Promise<RequestError>;
  const [hanging, endless] = await Promise.all([problemOf('/hanging'), problemOf('/endless')]);
  expect(hanging.message).toBe(`POST ${url}/hanging: no answer within 0.2 s`);
  expect(endless.message).toBe(
    `POST ${url}/endless: the answer is longer than the 1000 bytes that are taken`,
  );
  expect((await problemOf('/broken')).message).toBe(`POST ${url}/broken: other side closed`);
  expect([hanging.isTemporary, endless.isTemporary]).toEqual([true, true]);
});

it('sends a key nowhere but where it was meant to go, and follows nobody elsewhere', async () => {
  const thief = await startPeer(() => ({}));
  const { url, received } = await startPeer(() => ({ status: 307, location: `${thief.url}/stolen` }));
  const http = new Http(credentialsFor(url));
  const problem = `POST ${url}/api: the answer is 307 {}, which sends us elsewhere. Give the address that the server itself has`;
  await expect(http.post('/api', {}, never)).rejects.toThrow(problem);
  await expect(http.get('/api', never)).rejects.toThrow('sends us elsewhere');
  const upload = (where: string): Promise<void> =>
    http.put(where, { data: new Uint8Array(1), headers: {} }, never);
  await expect(upload('/api')).rejects.toThrow('sends us elsewhere');
  await expect(upload(`${url}/signed`)).rejects.toThrow('sends us elsewhere');
  expect(thief.received).toEqual([]);
  expect(received.map(({ authorization }) => authorization !== undefined)).toEqual([true, true, true, false]);
});
