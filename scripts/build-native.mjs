// Builds the native kernels with node-gyp; npm runs it as the package's install script, and it can be run alone.
//
// Without them everything runs on the reference backend, so an installation succeeds whatever becomes of the build. npm shows nothing of
// that: why there are no kernels is kept in build/native.log, where the package finds it and says so.
//
// For each MPI that is there, the addon by which ranks reach each other is built too, in seconds; what came of it is kept in
// build/mpi.log. Who installs MPI later builds that alone: node scripts/build-native.mjs --mpi
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const logFile = join(root, 'build', 'native.log');
const mpiLogFile = join(root, 'build', 'mpi.log');
const addon = join(root, 'build', 'Release', 'rectiflow.node');
/** Run by hand, or by a script, it says by its exit code what came of it. */
const isInstall = process.env.npm_lifecycle_event === 'install';
const mpiOnly = process.argv.includes('--mpi');
/** What is not built where nothing can be, and where that is kept. */
const subject = mpiOnly ? 'the addon for MPI was' : 'the native CPU kernels were';
const subjectLog = mpiOnly ? mpiLogFile : logFile;

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
  const again = mpiOnly
    ? 'node scripts/build-native.mjs --mpi'
    : 'npm rebuild rectiflow   (or, in a clone: node scripts/build-native.mjs)';
  const until = mpiOnly
    ? 'rectiflow trains in one process'
    : 'everything runs on the reference backend, slowly';
  const text = `rectiflow: ${subject} not built: ${missing.join(' and ')} not found.
rectiflow: to have ${mpiOnly ? 'it' : 'them'}, install the tools and build again:
    ${how}
    ${again}
rectiflow: until then ${until}.`;
  console.log(text);
  writeFileSync(subjectLog, `${text}\n`);
  if (mpiOnly) process.exitCode = 1;
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

function configure(log, variables) {
  const bf16 = works(
    compiler,
    ['-mavx512bf16', '-fsyntax-only', '-x', 'c++', '-'],
    '#include <immintrin.h>\n',
  );
  return nodeGyp(['configure', ...nodeDirectory(), '--', `-Davx512_bf16=${bf16 ? 1 : 0}`, ...variables], log);
}

async function build() {
  const log = openSync(logFile, 'w');
  const began = Date.now();
  process.stdout.write('rectiflow: building the native CPU kernels (a minute or two) ... ');
  const status = (await configure(log, [])) || (await nodeGyp(['build', '-j', 'max'], log));
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

/** What a compiler wrapper adds to the compiler's words; undefined where there is no such wrapper. */
function askWrapper(wrapper) {
  const [program, ...words] = wrapper.split(' ');
  const { status, stdout } = spawnSync(program, [...words, '-show'], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const flags = stdout.trim().split(/\s+/).slice(1);
  const compile = flags.filter((flag) => /^-[ID]/.test(flag));
  // Libraries are found again where they were found.
  const places = flags.filter((flag) => flag.startsWith('-L')).map((flag) => `-Wl,-rpath,${flag.slice(2)}`);
  const link = [...flags.filter((flag) => /^-(?:[Ll]|Wl,|pthread)/.test(flag)), ...places];
  return { wrapper, compile, link };
}

/** Which of the two kinds of MPI, which no process can mix, has its headers there; undefined where they are not. */
function kindOfMpi({ compile }) {
  const probe = '#include <mpi.h>\n#ifdef OPEN_MPI\nkind=openmpi\n#else\nkind=mpich\n#endif\n';
  const [program, ...words] = compiler.split(' ');
  const { status, stdout } = spawnSync(program, [...words, ...compile, '-E', '-x', 'c++', '-'], {
    input: probe,
    encoding: 'utf8',
    maxBuffer: 1 << 27,
  });
  return status === 0 ? /^kind=(\w+)$/m.exec(stdout)?.[1] : undefined;
}

/** Each kind of MPI that is there, by name; the wrapper that the environment names comes first. */
function findMpi() {
  const found = new Map();
  for (const wrapper of [process.env.MPICC, 'mpicc.openmpi', 'mpicc.mpich', 'mpicc']) {
    const flags = wrapper && askWrapper(wrapper);
    const kind = flags && kindOfMpi(flags);
    if (kind && !found.has(kind)) found.set(kind, flags);
  }
  return found;
}

/** @param wanted someone asked for it, and is told where there is nothing to build */
async function buildMpi(wanted) {
  const found = findMpi();
  // That of an earlier version is worse than none.
  const remove = (kind) => rmSync(join(root, 'build', 'Release', `mpi_${kind}.node`), { force: true });
  for (const kind of ['openmpi', 'mpich'].filter((each) => !found.has(each))) remove(kind);
  if (found.size === 0) {
    const text = `rectiflow: no MPI was found: neither MPICC in the environment nor mpicc.openmpi, mpicc.mpich or mpicc names one with mpi.h.
rectiflow: to train with many processes, install one and build again:
    apt-get install openmpi-bin libopenmpi-dev   (Debian, Ubuntu; on a cluster: module load openmpi, or what it is called there)
    node scripts/build-native.mjs --mpi   (in ${root})`;
    writeFileSync(mpiLogFile, `${text}\n`);
    if (wanted) console.error(text);
    if (wanted) process.exitCode = 1;
    return;
  }
  const names = [...found].map(([kind, { wrapper }]) => `${kind} by ${wrapper}`).join(', ');
  process.stdout.write(`rectiflow: building the addon for MPI (${names}) ... `);
  const log = openSync(mpiLogFile, 'w');
  const variables = [...found].flatMap(([kind, { compile, link }]) => [
    `-D${kind}_compile=${compile.join(' ')}`,
    `-D${kind}_link=${link.join(' ')}`,
  ]);
  let failed = (await configure(log, variables)) !== 0 ? [...found.keys()] : [];
  if (failed.length === 0)
    for (const kind of found.keys())
      if ((await nodeGyp(['build', `mpi_${kind}`], log)) !== 0) failed.push(kind);
  closeSync(log);
  for (const kind of failed) remove(kind);
  console.log(failed.length === 0 ? 'done' : 'failed');
  if (failed.length === 0) return;
  console.error(
    `rectiflow: the addon for MPI was not built for ${failed.join(' and ')}. The compiler's words are in ${mpiLogFile}`,
  );
  if (!isInstall) process.exitCode = 1;
}

/** A checkout or an image may be read-only. */
function makeBuildFolder() {
  try {
    mkdirSync(dirname(logFile), { recursive: true });
    writeFileSync(subjectLog, '');
    return true;
  } catch (error) {
    const kept =
      mpiOnly || existsSync(addon)
        ? 'what is there stays'
        : 'everything runs on the reference backend, slowly';
    console.error(
      `rectiflow: ${subject} not built, because ${dirname(logFile)} cannot be written (${error.code}); ${kept}.`,
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
    if (!mpiOnly)
      await build().catch((error) => {
        writeFileSync(logFile, `${error.stack}\n`, { flag: 'a' });
        explainFailure(error.message);
      });
    await buildMpi(mpiOnly).catch((error) => {
      writeFileSync(mpiLogFile, `${error.stack}\n`, { flag: 'a' });
      console.log(`failed: ${error.message}`);
      if (!isInstall) process.exitCode = 1;
    });
  }
}
