import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { findLaunch, findPatience } from '../../src/distributed/launcher.ts';
import { builtMpi, loadMpi } from '../../src/distributed/native.ts';
import { temporaryFolder } from '../support/cli.ts';
import { bundle, installed, startRanks } from '../support/mpi.ts';

const both = ['openmpi', 'mpich'] as const;

describe('findLaunch', () => {
  it('finds nothing where a process was started alone, also in an allocation of Slurm', () => {
    expect(findLaunch({}, both)).toBe(undefined);
    expect(findLaunch({ SLURM_NTASKS: '4', SLURM_PROCID: '0' }, both)).toBe(undefined);
    expect(findLaunch({ SLURM_STEP_ID: '0', SLURM_NTASKS: '1', SLURM_PROCID: '0' }, both)).toBe(undefined);
    expect(findLaunch({ RECTIFLOW_MPI: 'mpich' }, both)).toBe(undefined);
  });

  it.each([
    [
      "Open MPI's mpirun",
      { OMPI_COMM_WORLD_SIZE: '4', OMPI_COMM_WORLD_RANK: '3', PMIX_RANK: '3' },
      { mpi: 'openmpi', rank: 3, ranks: 4 },
    ],
    ["MPICH's mpirun", { PMI_SIZE: '2', PMI_RANK: '1' }, { mpi: 'mpich', rank: 1, ranks: 2 }],
    [
      'srun --mpi=pmi2',
      { PMI_SIZE: '2', PMI_RANK: '1', SLURM_STEP_ID: '0', SLURM_NTASKS: '2', SLURM_PROCID: '1' },
      { mpi: 'mpich', rank: 1, ranks: 2 },
    ],
    [
      'srun --mpi=pmix',
      { PMIX_RANK: '5', SLURM_STEP_ID: '0', SLURM_STEP_NUM_TASKS: '8', SLURM_PROCID: '5' },
      { mpi: 'openmpi', rank: 5, ranks: 8 },
    ],
    ['a launcher that speaks PMIx', { PMIX_RANK: '0' }, { mpi: 'openmpi', rank: 0, ranks: undefined }],
  ])('knows %s', (by, environment, wanted) => {
    expect(findLaunch(environment, both)).toEqual({ by, ...wanted });
  });

  it('takes what is built where the launcher serves both, and what the environment names in any case', () => {
    const slurm = { PMI_SIZE: '2', PMI_RANK: '1', SLURM_STEP_ID: '0' };
    expect(findLaunch(slurm, ['openmpi'])?.mpi).toBe('openmpi');
    expect(findLaunch({ PMIX_RANK: '0' }, ['mpich'])?.mpi).toBe('mpich');
    expect(findLaunch({ PMI_SIZE: '2', PMI_RANK: '1' }, ['openmpi'])?.mpi).toBe('mpich');
    expect(findLaunch({ ...slurm, RECTIFLOW_MPI: 'openmpi' }, both)?.mpi).toBe('openmpi');
  });

  it('refuses ranks of Slurm that cannot find each other', () => {
    const environment = { SLURM_STEP_ID: '0', SLURM_NTASKS: '4', SLURM_PROCID: '0' };
    expect(() => findLaunch(environment, both)).toThrow(
      /srun started 4 processes of rectiflow without MPI.*\n.*srun --mpi=pmix .*srun --mpi=pmi2 /,
    );
  });

  it('refuses an MPI that it does not know', () => {
    expect(() => findLaunch({ RECTIFLOW_MPI: 'intel' }, both)).toThrow(
      'ranks: RECTIFLOW_MPI in the environment must be openmpi (Open MPI) or mpich (MPICH), got intel',
    );
  });
});

describe('findPatience', () => {
  it('is 10 s, or what the environment says', () => {
    expect(findPatience({})).toBe(10_000);
    expect(findPatience({ RECTIFLOW_PATIENCE: '2.5' })).toBe(2500);
  });

  it.each(['0', '-1', '0.1', 'long', 'Infinity', '1e9'])('refuses %s', (RECTIFLOW_PATIENCE) => {
    expect(() => findPatience({ RECTIFLOW_PATIENCE })).toThrow(
      `ranks: RECTIFLOW_PATIENCE in the environment must be a number of seconds from 0.5 to 86400, got ${RECTIFLOW_PATIENCE}`,
    );
  });
});

describe('loadMpi', () => {
  it('says what to install where the package was built without MPI, or with another', async () => {
    const root = `${await temporaryFolder()}/`;
    expect(builtMpi(root)).toEqual([]);
    expect(() => loadMpi('openmpi', "Open MPI's mpirun", root)).toThrow(
      /started by Open MPI's mpirun, which needs rectiflow to be built with Open MPI; it was built with no MPI\.\nInstall Open MPI \(.*apt-get install openmpi-bin libopenmpi-dev;.*"node scripts\/build-native\.mjs --mpi" in /,
    );
    mkdirSync(join(root, 'build/Release'), { recursive: true });
    writeFileSync(join(root, 'build/Release/mpi_openmpi.node'), '');
    writeFileSync(join(root, 'build/mpi.log'), '');
    expect(builtMpi(root)).toEqual(['openmpi']);
    expect(() => loadMpi('mpich', "MPICH's mpirun", root)).toThrow(
      /it was built with Open MPI alone\.\nInstall MPICH .*What the last attempt said is in .*mpi\.log\./,
    );
    expect(() => loadMpi('openmpi', "Open MPI's mpirun", root)).toThrow(
      /mpi_openmpi\.node, which rectiflow needs where Open MPI's mpirun starts it, could not be loaded: .*too short/,
    );
  });

  it('lets messages as long as those of an exchange come unasked over TCP, unless that is set already', async () => {
    const root = `${await temporaryFolder()}/`;
    mkdirSync(join(root, 'build/Release'), { recursive: true });
    writeFileSync(join(root, 'build/Release/mpi_openmpi.node'), '');
    vi.stubEnv('OMPI_MCA_btl_tcp_eager_limit', undefined);
    vi.stubEnv('OMPI_MCA_btl_tcp_max_send_size', '65536');
    expect(() => loadMpi('openmpi', "Open MPI's mpirun", root)).toThrow(/could not be loaded/);
    const source = await readFile(new URL('../../native/mpi/exchange.cc', import.meta.url), 'utf8');
    const [, mebibytes] = /kLargestMessage = size_t\((\d+)\) << 20/.exec(source)!;
    const longest = Number(process.env['OMPI_MCA_btl_tcp_eager_limit']);
    expect(longest).toBeGreaterThan(Number(mebibytes) * 2 ** 20);
    expect(longest).toBeLessThan(2 * Number(mebibytes) * 2 ** 20);
    expect(process.env['OMPI_MCA_btl_tcp_max_send_size']).toBe('65536');
    vi.unstubAllEnvs();
  });
});

describe('the launcher of another MPI', () => {
  let program: string;
  beforeAll(async () => {
    program = await bundle('strangers');
  });

  const lacking = installed.map(({ skipped }) => skipped).find((skipped) => skipped) ?? '';
  for (const mpi of installed)
    it.skipIf(lacking)(
      `is told from its own where ${mpi.kind} starts ranks of the other${lacking}`,
      async () => {
        const other = both.find((kind) => kind !== mpi.kind)!;
        const env = { RECTIFLOW_MPI: other };
        const { stdout } = await startRanks(mpi, 2, [program], { env }).ended;
        const lines = stdout.split('\n').filter((line) => line.startsWith('ranks: '));
        expect(lines).toHaveLength(2);
        for (const line of lines)
          expect(line).toMatch(/mpirun started 2 processes, but by .*each of them is alone\./);
        expect(stdout).toContain(
          `(mpirun.${other}, where several are installed), or leave RECTIFLOW_MPI out`,
        );
      },
    );
});
