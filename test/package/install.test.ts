// The package as npm packs it, installed into projects of its users.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/cli.ts';
import { brokenCompiler } from '../support/compiler.ts';
import { npy } from '../support/npy.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const slow = { timeout: 300_000 };
const quiet = ['--no-audit', '--no-fund', '--prefer-offline'];
const config = {
  name: 'tiny',
  data: { source: 'array', path: 'images.npy' },
  model: { width: 16, depth: 1, heads: 2, patchSize: 4 },
  train: { steps: 2, batchSize: 2, sampleEvery: 0 },
  sample: { steps: 1, perClass: 1 },
};

let folder: string;
let tarball: string;
/** Of the tarball, with their sizes. */
let files: ReadonlyMap<string, number>;

/** What runs the tests is npm too: its settings are not those of a user. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_|^CXX$|^MAKE|^NODE_/.test(name)),
);

function run(cwd: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const all = { ...environment, ...env };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env: all, encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** Installs the tarball into a new project. */
function project(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(join(path, 'package.json'), '{"type": "module", "private": true}');
  writeFileSync(join(path, 'images.npy'), npy('<f4', [4, 1, 8, 8], new Float32Array(256)));
  writeFileSync(join(path, 'tiny.json'), JSON.stringify(config));
  const { status, stderr } = run(path, 'npm', ['install', tarball, ...quiet, ...args], env);
  if (status !== 0) throw new Error(`npm install ended with ${status}:\n${stderr}`);
  return path;
}

function rectiflow(path: string, args: readonly string[]) {
  return run(path, join(path, 'node_modules/.bin/rectiflow'), args);
}

beforeAll(async () => {
  folder = await temporaryFolder();
  const packing = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const { stdout, stderr } = run(root, 'npm', packing);
  if (stdout === '') throw new Error(`npm pack says:\n${stderr}`);
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string; size: number }[] }];
  tarball = join(folder, packed.filename);
  files = new Map(packed.files.map(({ path, size }) => [path, size]));
}, 120_000);

describe('the tarball', () => {
  it('holds what users need, and nothing else', () => {
    for (const wanted of ['LICENSE', 'README.md', 'docs/training.md', 'dist/index.d.ts', 'dist/cli/main.js'])
      expect([...files.keys()]).toContain(wanted);
    const rooms = new Set([...files.keys()].map((path) => path.split('/')[0]));
    expect([...rooms].toSorted()).toEqual([
      'LICENSE',
      'README.md',
      'binding.gyp',
      'dist',
      'docs',
      'examples',
      'native',
      'package.json',
      'scripts',
    ]);
    const bytes = [...files.values()].reduce((sum, size) => sum + size, 0);
    expect(bytes).toBeLessThan(12e6);
  });

  it('holds the page of watch: small, without maps of its sources, and nothing in it that its policy forbids', () => {
    const page = [...files].filter(([path]) => /^dist\/page\/(index\.html$|assets\/)/.test(path));
    const kinds = page.map(([path]) => path.replace(/^.*\./, '')).toSorted();
    expect(kinds).toEqual(['css', 'html', 'js', 'svg']);
    expect(page.reduce((sum, [, size]) => sum + size, 0)).toBeLessThan(400e3);
    const licenses = readFileSync(join(root, 'dist/page/licenses.md'), 'utf8');
    for (const name of ['svelte', 'uplot']) expect(licenses).toMatch(new RegExp(`^## ${name}`, 'im'));
    expect([...files.keys()]).toContain('dist/page/licenses.md');
    const html = readFileSync(join(root, 'dist/page/index.html'), 'utf8');
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|https?:/);
    const script = page.map(([path]) => path).find((path) => path.endsWith('.js'))!;
    expect(readFileSync(join(root, script), 'utf8')).not.toMatch(/sourceMappingURL|\beval\(|new Function\(/);
  });

  it('has everything that its pages link to', () => {
    const pages = [...files.keys()].filter((path) => path.endsWith('.md'));
    const missing = pages.flatMap((page) => {
      const links = readFileSync(join(root, page), 'utf8').matchAll(/\]\((?!https?:|#)([^)#\s]+)/g);
      return [...links]
        .map(([, link]) => normalize(join(dirname(page), link!)))
        .filter((path) => ![...files.keys()].some((file) => file === path || file.startsWith(`${path}/`)))
        .map((path) => `${page} -> ${path}`);
    });
    expect(missing).toEqual([]);
  });
});

describe('installed', () => {
  it('without a build, the commands and the types work, and a training says what is missing', slow, () => {
    const path = project('unbuilt', ['--ignore-scripts']);
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(rectiflow(path, ['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    const { status, stdout } = rectiflow(path, ['train', 'tiny.json']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^note: The native kernels are not built.*npm rebuild rectiflow/m);
    expect(stdout).not.toContain('native.log');
    checkTypes(path);
  });

  it('with a compiler that fails, it is there, and says where the words of the compiler are', slow, () => {
    const path = project('broken', [], { CXX: brokenCompiler(folder) });
    const log = join(path, 'node_modules/rectiflow/build/native.log');
    expect(readFileSync(log, 'utf8')).toContain('internal compiler error: Killed');
    const { status, stdout } = rectiflow(path, ['train', 'tiny.json']);
    expect(status).toBe(0);
    expect(stdout).toContain(`What the last attempt to build them said is in ${log}.`);
    const { stdout: info } = rectiflow(path, ['info', 'DiT-S/8', '--image-size', '32']);
    expect(info).toContain(log);
    const { stdout: doctor } = rectiflow(path, ['doctor', 'tiny.json']);
    expect(doctor).toContain(log);
  });

  const addon = join(root, 'build/Release/rectiflow.node');
  const unbuilt = existsSync(addon) ? '' : ' (skipped: the kernels are not built here)';
  it.skipIf(unbuilt)(`with a compiler, the kernels are found${unbuilt}`, slow, () => {
    // To compile takes minutes, and was done to install this checkout: its make puts in place what that has made.
    const make = join(folder, 'make');
    const script = `#!/bin/sh\nmkdir -p build/Release && cp "${addon}" build/Release/\n`;
    writeFileSync(make, script, { mode: 0o755 });
    const path = project('built', [], { MAKE: make });
    const { stdout } = rectiflow(path, ['train', 'tiny.json']);
    expect(stdout).not.toContain('not built');
    expect(stdout).toMatch(/^backend  (?!reference)/m);
  });
});

/** Compiles a program of a user, who has neither the types of Node.js nor trust in those of the package. */
function checkTypes(path: string): void {
  const program = `
    import { sample, train, writeSamples } from 'rectiflow';
    const config = { name: 'mine', data: { source: 'digits' }, train: { steps: 2000, batchSize: 64 } } as const;
    const { run } = await train(config, { onStep: ({ step, loss }) => console.log(step, loss.toFixed(3)) });
    const { view } = await writeSamples('sevens', await sample(run, { labels: [7], count: 16, guidance: 2 }));
    console.log(view);`;
  writeFileSync(join(path, 'program.ts'), program);
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  for (const resolution of ['nodenext', 'bundler']) {
    const compilerOptions = {
      module: resolution === 'nodenext' ? 'nodenext' : 'esnext',
      moduleResolution: resolution,
      target: 'es2022',
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      types: [],
    };
    const settings = { compilerOptions, files: ['program.ts'] };
    writeFileSync(join(path, 'tsconfig.json'), JSON.stringify(settings));
    expect(run(path, process.execPath, [tsc, '-p', '.'])).toEqual({ status: 0, stdout: '', stderr: '' });
  }
}
