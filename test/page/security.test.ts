// Who may ask what: see src/page/guard.ts.
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { newToken } from '../../src/page/guard.ts';
import { temporaryFolder } from '../support/cli.ts';
import { type PageServer, failure, logLine, rawRequest, startPage, writeRun } from '../support/page.ts';

let page: PageServer;
let port: string;
let runs: string;

beforeAll(async () => {
  const folder = await temporaryFolder();
  runs = join(folder, 'runs');
  const built = join(folder, 'page');
  await mkdir(join(built, 'assets'), { recursive: true });
  await writeFile(join(built, 'index.html'), '<!doctype html><title>page</title>');
  await writeFile(join(built, 'assets', 'a-12.js'), 'export {};');
  await writeFile(join(built, 'notes.d.ts'), 'not of the page');
  await writeFile(join(folder, 'secret.json'), 'secret');
  await writeRun(runs, 'one', { log: [logLine(1)] });
  await writeRun(folder, 'outside', { log: [logLine(1)] });
  await symlink(join(folder, 'outside'), join(runs, 'leads-out'));
  await symlink(join(runs, 'one'), join(runs, 'also-one'));
  const bad = await writeRun(runs, 'bad-links');
  await symlink(join(folder, 'secret.json'), join(bad, 'samples', 'step-0000001.png'));
  await symlink(join(folder, 'secret.json'), join(bad, 'metrics.jsonl'));
  await symlink(join(folder, 'secret.json'), join(bad, 'notices.log'));
  page = await startPage({ runs, page: built });
  ({ port } = new URL(page.origin));
});

const own = (): Record<string, string> => ({ authorization: `Bearer ${page.token}` });
const statusOf = async (path: string, headers: Record<string, string>): Promise<number> =>
  (await rawRequest(page.origin, path, headers)).status;

describe('the token', () => {
  it('is of 32 random bytes, in the fragment of the link, which no server sees', () => {
    expect(Buffer.from(page.token, 'base64url').length).toBe(32);
    expect(page.server.url).toBe(`${page.origin}/#token=${page.token}`);
    expect(newToken()).not.toBe(newToken());
  });

  it.each([
    [{}],
    [{ authorization: 'Bearer ' }],
    [{ authorization: 'Bearer wrong' }],
    [{ authorization: 'Basic Zm9vOmJhcg==' }],
  ])('is asked for: %j is 401', async (headers) => {
    expect(await statusOf('/api/runs', headers)).toBe(401);
    expect(await statusOf('/api/runs/one/live', headers)).toBe(401);
    expect(await statusOf('/api/no-such-request', headers)).toBe(401);
  });

  it('opens nothing as a part of the address', async () => {
    expect(await statusOf(`/api/runs?token=${page.token}`, {})).toBe(401);
    expect(await statusOf('/api/runs', { authorization: `Bearer ${page.token.slice(0, -1)}` })).toBe(401);
  });

  it('is enough, whatever the case of its scheme', async () => {
    expect(await statusOf('/api/runs', own())).toBe(200);
    expect(await statusOf('/api/runs', { authorization: `bearer ${page.token}` })).toBe(200);
  });

  it('is not asked for the page itself', async () => {
    const answer = await fetch(page.origin);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  });
});

describe('the host of a request', () => {
  it.each(['127.0.0.1', 'localhost', '[::1]', 'LOCALHOST'])('may be %s', async (host) => {
    expect(await statusOf('/api/runs', { ...own(), host: `${host}:${port}` })).toBe(200);
  });

  it.each([
    'evil.example',
    '127.0.0.1',
    '127.0.0.1:1',
    'localhost.evil.example:PORT',
    '127.0.0.1:PORT.evil.example',
    '0.0.0.0:PORT',
    '2130706433:PORT',
    'user@127.0.0.1:PORT',
  ])('may not be %s', async (host) => {
    const headers = { ...own(), host: host.replace('PORT', port) };
    for (const path of ['/api/runs', '/', '/assets/a-12.js'])
      expect(await statusOf(path, headers)).toBeGreaterThanOrEqual(400);
    expect([400, 403]).toContain(await statusOf('/', headers));
  });

  it('is told in a sentence where it may not', async () => {
    const { status, text } = await rawRequest(page.origin, '/api/runs', {
      ...own(),
      host: `a.example:${port}`,
    });
    expect([status, JSON.parse(text)]).toEqual([
      403,
      { error: `This server is not asked as a.example:${port}. Open the link that rectiflow watch printed.` },
    ]);
  });
});

describe('the origin of a request', () => {
  it('may be the server', async () => {
    for (const host of ['127.0.0.1', 'localhost', '[::1]'])
      expect(await statusOf('/api/runs', { ...own(), origin: `http://${host}:${port}` })).toBe(200);
  });

  it.each([
    'null',
    'http://evil.example',
    'https://127.0.0.1:PORT',
    'http://127.0.0.1',
    'http://127.0.0.1:1',
    'http://127.0.0.1:PORT@evil.example',
    'file://',
  ])('may not be %s', async (origin) => {
    const headers = { ...own(), origin: origin.replace('PORT', port) };
    expect(await statusOf('/api/runs', headers)).toBe(403);
    expect(await statusOf('/', headers)).toBe(403);
  });

  it('of others is told nothing: there is no CORS', async () => {
    const headers = { origin: 'http://evil.example', 'access-control-request-method': 'POST' };
    const { status, headers: answer } = await rawRequest(page.origin, '/api/runs', headers, 'OPTIONS');
    expect(status).toBe(403);
    expect(Object.keys(answer).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('every answer', () => {
  it.each(['/', '/assets/a-12.js', '/api/runs', '/api/none', '/none'])(
    'of %s says what a browser may do',
    async (path) => {
      for (const headers of [own(), { host: 'evil.example' }, {}]) {
        const { headers: answer } = await rawRequest(page.origin, path, headers);
        expect(answer).toMatchObject({
          'content-security-policy':
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
          'cross-origin-opener-policy': 'same-origin',
          'cross-origin-resource-policy': 'same-origin',
        });
      }
    },
  );

  it('of the page is of its files alone', async () => {
    const types = await Promise.all(
      [
        '/assets/a-12.js',
        '/notes.d.ts',
        '/../secret.json',
        '/%2e%2e/secret.json',
        '/assets/..%2f..%2fsecret.json',
      ].map(async (path) => {
        const { status, text } = await rawRequest(page.origin, path, {});
        expect(text).not.toContain('secret');
        return status;
      }),
    );
    expect(types).toEqual([200, 404, 404, 404, 404]);
  });

  it('where the page is missing says so', async () => {
    const other = await startPage({ runs, page: join(runs, 'none') });
    const answer = await fetch(other.origin);
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining('npm run build')]);
  });
});

/** What must lead to no file of this machine, each as it stands in a path. */
const traversals = [
  '..',
  '.',
  '%2e%2e',
  '%252e%252e',
  '..%2foutside',
  '%2e%2e%2foutside',
  '..%5coutside',
  '..%252foutside',
  '%2fetc',
  'one%2f..%2f..%2foutside',
  'one%2f.',
  'one%00',
  '%00',
  'one%00.png',
  '%c0%ae%c0%ae%c0%afoutside',
  '%ff%fe',
  '%ed%a0%80',
  '%e2%80%ae',
  '%EF%BC%8E%EF%BC%8E',
  'ONE%20',
  'leads-out',
  'x'.repeat(5000),
  '',
];

describe('the name of a run', () => {
  it.each(traversals)('leads nowhere else: %s', async (name) => {
    for (const rest of ['', '/series?fields=loss', '/live', '/samples/step-0000001.png', '/preview']) {
      const { status, text } = await rawRequest(page.origin, `/api/runs/${name}${rest}`, own());
      // Without a name, and after a browser's way with dots, it is the list of runs or nothing.
      const isList = rest === '' && ['', '.'].includes(name);
      expect([name, rest, status]).toEqual([
        name,
        rest,
        isList ? expect.any(Number) : expect.toSatisfy((code) => code >= 400 && code < 500),
      ]);
      expect(text).not.toContain('outside"');
    }
  });

  it('may be that of a link within the folder of runs', async () => {
    expect(await statusOf('/api/runs/also-one', own())).toBe(200);
  });
});

describe('links in a run that lead out of it', () => {
  it('are not followed', async () => {
    const answers = await Promise.all(
      ['', '/series?fields=loss', '/samples/step-0000001.png'].map((rest) =>
        page.fetch(`/api/runs/bad-links${rest}`).then((answer) => answer.text()),
      ),
    );
    expect(answers.join('')).not.toContain('secret');
    expect(JSON.parse(answers[0]!)).toMatchObject({
      damage: [
        'metrics.jsonl is a symbolic link that leads out of the run.',
        'notices.log is a symbolic link that leads out of the run.',
      ],
    });
    expect(JSON.parse(answers[2]!)).toEqual({
      error: 'samples/step-0000001.png is a symbolic link that leads out of the run.',
    });
  });
});

describe('the name of a picture', () => {
  it.each([
    'step-1.png',
    'config.json',
    '..%2fconfig.json',
    'step-0000001.png%00',
    'step-0000001.PNG',
    '%2e%2e',
  ])('is one of samples: %s is not', async (file) => {
    expect(await statusOf(`/api/runs/one/samples/${file}`, own())).toBe(404);
  });
});

describe('the body of a request', () => {
  it('is JSON of at most 1 MiB', async () => {
    const send = (type: string, body: string): Promise<Response> =>
      page.fetch('/api/plan', { method: 'POST', headers: { 'content-type': type }, body });
    expect((await failure(await send('text/plain', '{}'))).status).toBe(415);
    expect((await failure(await send('application/x-www-form-urlencoded', 'a=b'))).status).toBe(415);
    expect(await failure(await send('application/json', '{'))).toEqual({
      status: 400,
      error: 'The request is no JSON.',
    });
    const large = JSON.stringify({ text: 'x'.repeat(1 << 20) });
    expect(await failure(await send('application/json', large))).toEqual({
      status: 413,
      error: 'The request is larger than 1 MiB.',
    });
  });

  it('has no settings that nobody knows, and names no file', async () => {
    expect((await failure(await page.post('/api/plan', { recipe: 'digits', out: '/etc' }))).status).toBe(400);
    expect(await failure(await page.post('/api/start', { recipe: '/etc/passwd' }))).toMatchObject({
      status: 400,
    });
    expect(await failure(await page.post('/api/start', {}))).toEqual({
      status: 400,
      error: 'Give either the name of a recipe or the text of a config.',
    });
  });
});
