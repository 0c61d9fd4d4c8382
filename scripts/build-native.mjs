// Builds the native kernels with node-gyp; npm runs it as the package's install script, and it can be run alone.
//
// Without them everything runs on the reference backend, so an installation succeeds whatever becomes of the build. npm shows nothing of
// that: why there are no kernels is kept in build/native.log, where the package finds it and says so.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const logFile = join(root, 'build', 'native.log');
const addon = join(root, 'build', 'Release', 'rectiflow.node');
/** Run by hand, or by a script, it says by its exit code what came of it. */
const isInstall = process.env.npm_lifecycle_event === 'install';

function works(command, args, input = '') {
  const [program, ...words] = command.split(' ');
  return spawnSync(program, [...words, ...args], { input, stdio: ['pipe', 'ignore', 'ignore'] }).status === 0;
}

// What gyp would take by itself; naming it makes the probe below and the build agree.
const compiler = process.env.CXX ?? (works('g++', ['--version']) ? 'g++' : 'c++');
const python = process.env.npm_config_python ?? process.env.PYTHON ?? 'python3';

function missingTools() {
  const probe = '#include <cstdint>\nint main() { return 0; }\n';
  const tools = [
    ['a C++17 compiler', works(compiler, ['-std=c++17', '-fsyntax-only', '-x', 'c++', '-'], probe)],
    ['make', works(process.env.MAKE ?? 'make', ['--version'])],
    ['Python 3', works(python, ['--version'])],
  ];
  return tools.filter(([, found]) => !found).map(([name]) => name);
}

function explainMissing(missing) {
  const how =
    process.platform === 'darwin'
      ? 'xcode-select --install'
      : 'apt-get install build-essential python3   (Debian, Ubuntu)';
  const text = `rectiflow: the native CPU kernels were not built: ${missing.join(' and ')} not found.
rectiflow: to have them, install the tools and build again:
    ${how}
    npm rebuild rectiflow   (or, in a clone: node scripts/build-native.mjs)
rectiflow: until then everything runs on the reference backend, slowly.`;
  console.log(text);
  writeFileSync(logFile, `${text}\n`);
}

/** The Node.js headers beside this node, so that nothing is downloaded; npm's own setting comes first. */
function nodeDirectory() {
  if (process.env.npm_config_nodedir) return [];
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? ['--nodedir', prefix] : [];
}

function nodeGyp(args, log) {
  const script = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, ...args], {
      cwd: root,
      env: { ...process.env, CXX: compiler },
      stdio: ['ignore', log, log],
    });
    child.on('error', () => resolve(1));
    child.on('close', (code) => resolve(code ?? 1));
  });
}

async function build() {
  const bf16 = works(
    compiler,
    ['-mavx512bf16', '-fsyntax-only', '-x', 'c++', '-'],
    '#include <immintrin.h>\n',
  );
  const log = openSync(logFile, 'w');
  const began = Date.now();
  process.stdout.write('rectiflow: building the native CPU kernels (a minute or two) ... ');
  const configured = await nodeGyp(
    ['configure', ...nodeDirectory(), '--', `-Davx512_bf16=${bf16 ? 1 : 0}`],
    log,
  );
  const status = configured || (await nodeGyp(['build', '-j', 'max'], log));
  closeSync(log);
  const seconds = ((Date.now() - began) / 1000).toFixed(0);
  console.log(status === 0 ? `done in ${seconds} s` : `failed after ${seconds} s`);
  if (status === 0) return;
  explainFailure(readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-25).join('\n'));
}

function explainFailure(words) {
  // Kernels of an earlier version are worse than none.
  rmSync(addon, { force: true });
  console.error(`${words}
rectiflow: the native CPU kernels were not built, so everything runs on the reference backend, slowly.
rectiflow: the whole output of the build is in ${logFile}
rectiflow: to try again, with another compiler for one: CXX=clang++ npm rebuild rectiflow   (in a clone: node scripts/build-native.mjs)`);
  if (!isInstall) process.exitCode = 1;
}

/** A checkout or an image may be read-only. */
function makeBuildFolder() {
  try {
    mkdirSync(dirname(logFile), { recursive: true });
    writeFileSync(logFile, '');
    return true;
  } catch (error) {
    const kept = existsSync(addon)
      ? 'those that are there stay'
      : 'everything runs on the reference backend, slowly';
    console.error(
      `rectiflow: the native CPU kernels were not built, because ${dirname(logFile)} cannot be written (${error.code}); ${kept}.`,
    );
    if (!isInstall) process.exitCode = 1;
    return false;
  }
}

if (process.platform === 'win32') {
  console.log(
    'rectiflow: the native CPU kernels need Linux or macOS (on Windows, use WSL); the reference backend works here.',
  );
} else if (makeBuildFolder()) {
  const missing = missingTools();
  if (missing.length) explainMissing(missing);
  else {
    await build().catch((error) => {
      writeFileSync(logFile, `${error.stack}\n`, { flag: 'a' });
      explainFailure(error.message);
    });
  }
}
