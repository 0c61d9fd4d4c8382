import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { Http, RequestError } from '../../src/sinks/http.ts';
import { wandbCredentials } from '../../src/sinks/secrets.ts';
import { startPeer } from '../support/http-peer.ts';

const key = '0123456789abcdef0123456789abcdef01234567';
const credentials = wandbCredentials({ WANDB_API_KEY: key });
const never = new AbortController().signal;

it('shows no part of a secret, wherever a long answer is cut', async () => {
  const { url } = await startPeer(({ path }) => ({
    status: 400,
    json: { error: '.'.repeat(Number(path.slice(1))) + key },
  }));
  for (let dots = 140; dots < 200; dots += 4) {
    const problem = await new Http(url, credentials)
      .get(`/${dots}`, never)
      .catch((error: Error) => error.message);
    expect(problem).toMatch(/^GET http.*: the answer is 400 /);
    expect(problem).not.toContain(key.slice(0, 4));
  }
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
  await expect(new Http(`http://127.0.0.1:${port}`, credentials).get('/api', never)).rejects.toThrow(
    `GET http://127.0.0.1:${port}/api: nothing listens there`,
  );
});
