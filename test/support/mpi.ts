// Runs programs of test/distributed/programs by real launchers of MPI, as many as are installed here.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { afterAll } from 'vitest';
import { type MpiKind, mpiKinds } from '../../src/distributed/native.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Installed {
  readonly kind: MpiKind;
  readonly launcher: string;
  /** Why its tests are skipped, for their names; empty where they are not. */
  readonly skipped: string;
}

/** Every kind of MPI, and whether it is here. */
export const installed: readonly Installed[] = mpiKinds.map((kind) => {
  const launcher = findLauncher(kind);
  const isBuilt = existsSync(join(root, `build/Release/mpi_${kind}.node`));
  const missing = !launcher ? 'it is not installed' : !isBuilt ? 'rectiflow was built without it' : '';
  return { kind, launcher: launcher ?? '', skipped: missing && ` (skipped: ${missing})` };
});

function findLauncher(kind: MpiKind): string | undefined {
  return [`mpirun.${kind}`, 'mpirun'].find((name) => {
    const { status, stdout } = spawnSync(name, ['--version'], { encoding: 'utf8' });
    return status === 0 && (kind === 'openmpi') === /Open MPI|OpenRTE/.test(stdout);
  });
}

export interface Ended {
  /** null where it had to be killed because it did not end. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningRanks {
  /** Of the launcher. */
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** Resolves with the match once standard output has it. */
  saw(pattern: RegExp): Promise<RegExpExecArray>;
}

const folder = join(root, `build/test-programs/${process.pid}`);
const launchers = new Set<number>();

afterAll(() => {
  for (const pid of launchers) killGroup(pid);
  rmSync(folder, { recursive: true, force: true });
});

/** One file of a program in TypeScript, which Node.js runs as it is. @param from the folder that it is in @returns its path */
export async function bundle(program: string, from = 'test/distributed/programs'): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${program}.mjs`);
  await build({
    input: join(root, from, `${program}.ts`),
    platform: 'node',
    external: (id) => /^[^./]/.test(id),
    output: { file, format: 'esm', codeSplitting: false },
    logLevel: 'warn',
  });
  return file;
}

export interface RanksOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds, until what hangs is killed. */
  readonly limit?: number;
  readonly cwd?: string;
}

/** What runs the tests may itself be a rank, or have settings of a user. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(?:OMPI_|PMI_|PMIX_|SLURM_|RECTIFLOW_|FORCE_COLOR)/.test(name),
  ),
);

/** Starts a bundled program as so many ranks. What writes to standard output there does it line by line. */
export function startRanks(
  { kind, launcher }: Installed,
  ranks: number,
  args: readonly string[],
  options?: RanksOptions,
): RunningRanks {
  const room = kind === 'openmpi' ? ['--oversubscribe', '--bind-to', 'none'] : [];
  return startJob(launcher, [...room, '-n', String(ranks), process.execPath, ...args], options);
}

/** Starts a command that starts ranks. */
export function startJob(
  command: string,
  args: readonly string[],
  { env = {}, limit = 40_000, cwd }: RanksOptions = {},
): RunningRanks {
  const asRoot = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1', NO_COLOR: '1' };
  // A process group of its own: where the launcher hangs, all that it has started is killed with it.
  const child = spawn(command, args, {
    detached: true,
    cwd,
    env: { ...environment, ...asRoot, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid !== undefined) launchers.add(pid);
  let stdout = '';
  let stderr = '';
  let isLate = false;
  const looking = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    for (const look of looking) look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const late = setTimeout(() => {
    isLate = true;
    stderr += `\nIt did not end within ${limit / 1000} s, and was killed.`;
    if (pid !== undefined) killGroup(pid);
  }, limit);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(late);
      resolve({ code: isLate ? null : code, stdout, stderr });
    });
  });
  const saw = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(stdout);
        if (match) resolve(match);
      };
      looking.add(look);
      look();
      void ended.then(() => reject(new Error(`It ended without ${pattern}:\n${stdout}${stderr}`)));
    });
  return { pid: pid!, ended, saw };
}

/** Runs a bundled program as so many ranks, and waits for their end. @returns what each rank reported, by rank */
export async function runRanks<T>(
  mpi: Installed,
  ranks: number,
  args: readonly string[],
  options?: RanksOptions,
): Promise<T[]> {
  const reports = mkdtempSync(join(folder, 'reports-'));
  const env = { ...options?.env, REPORTS: reports };
  const { code, stdout, stderr } = await startRanks(mpi, ranks, args, { ...options, env }).ended;
  if (code !== 0) throw new Error(`${ranks} ranks of ${mpi.kind} ended with ${code}:\n${stdout}${stderr}`);
  const files = readdirSync(reports).toSorted((a, b) => Number(a) - Number(b));
  return files.map((file) => JSON.parse(readFileSync(join(reports, file), 'utf8')) as T);
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}

/** A process that has ended, but that nobody has asked for yet, is not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
