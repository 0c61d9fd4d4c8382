// A server of the page, and the runs that it shows.
import { request } from 'node:http';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Failure } from '../../src/page/contract.ts';
import { type WatchOptions, type WatchServer, watchRuns } from '../../src/page/watch.ts';

const servers: WatchServer[] = [];

afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
});

export interface PageServer {
  readonly server: WatchServer;
  /** `http://127.0.0.1:1234` */
  readonly origin: string;
  readonly token: string;
  /** With the token. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** The JSON of an answer that is right. */
  get<T>(path: string): Promise<T>;
  post(path: string, body: unknown): Promise<Response>;
}

/** A server that ends with the tests of the file. */
export async function startPage(options: WatchOptions): Promise<PageServer> {
  const server = await watchRuns(options);
  servers.push(server);
  const { origin, hash } = new URL(server.url);
  const token = hash.replace('#token=', '');
  const get = async (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(origin + path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } });
  return {
    server,
    origin,
    token,
    fetch: get,
    async get<T>(path: string): Promise<T> {
      const answer = await get(path);
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as T;
    },
    post: (path, body) =>
      get(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
  };
}

/** A request with any path and headers, as no browser sends it. */
export function rawRequest(
  origin: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  method = 'GET',
): Promise<{ status: number; text: string; headers: NodeJS.Dict<string | string[]> }> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, method, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('end', () => resolve({ status: answer.statusCode!, text, headers: answer.headers }));
    })
      .on('error', reject)
      .end();
  });
}

export async function failure(answer: Response): Promise<{ status: number; error: string }> {
  return { status: answer.status, error: ((await answer.json()) as Failure).error };
}

export interface RunParts {
  readonly steps?: number;
  readonly created?: string;
  /** Settings of its data. */
  readonly data?: unknown;
  /** Lines of metrics.jsonl. */
  readonly log?: readonly string[];
}

/** The files of a run that nobody trains. @returns its folder */
export async function writeRun(runs: string, name: string, parts: RunParts = {}): Promise<string> {
  const { steps = 10, created = '2026-01-01T00:00:00.000Z', log = [] } = parts;
  const { data = { source: 'digits' } } = parts;
  const run = join(runs, name);
  await mkdir(join(run, 'samples'), { recursive: true });
  const config = {
    name: 'x',
    data,
    model: { kind: 'dit', classes: 10 },
    train: { steps, batchSize: 4 },
    stages: [],
  };
  await writeFile(join(run, 'config.json'), JSON.stringify({ version: '1.0.0', created, config }));
  if (log.length > 0) await writeFile(join(run, 'metrics.jsonl'), log.map((line) => `${line}\n`).join(''));
  return run;
}

/** `{"step":3,"loss":...}` */
export function logLine(step: number, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ step, loss: 1 / step, epoch: step / 100, seconds: step / 10, ...more });
}
