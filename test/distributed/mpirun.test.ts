import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findMpirun, mpirunArguments, mpirunEnvironment } from '../../src/distributed/mpirun.ts';
import { fakeMpirun } from '../support/fake-mpirun.ts';

describe('the mpirun that is taken', () => {
  it('is one of an MPI that rectiflow was built with', async () => {
    const { folder } = await fakeMpirun('mpich', 'mpirun');
    expect(findMpirun({ PATH: folder }, ['openmpi', 'mpich'])).toEqual({ kind: 'mpich', program: 'mpirun' });
  });

  it('is the one that RECTIFLOW_MPI chooses, where both are there', async () => {
    const { folder: PATH } = await fakeMpirun('openmpi');
    await symlink((await fakeMpirun('mpich')).program, join(PATH, 'mpiexec.hydra'));
    const both = ['openmpi', 'mpich'] as const;
    expect(findMpirun({ PATH }, both)).toEqual({ kind: 'openmpi', program: 'mpirun.openmpi' });
    const mpich = { kind: 'mpich', program: 'mpiexec.hydra' };
    expect(findMpirun({ PATH, RECTIFLOW_MPI: 'mpich' }, both)).toEqual(mpich);
    expect(findMpirun({ PATH }, ['mpich'])).toEqual(mpich);
  });

  it('is missed with what to install', async () => {
    expect(() => findMpirun({ PATH: '/nowhere' }, ['mpich'])).toThrow(
      /^--ranks: no mpirun of MPICH, which rectiflow was built with, was found in the PATH\.\nInstall MPICH \(Debian, Ubuntu: apt-get install mpich libmpich-dev/,
    );
    const { folder: PATH } = await fakeMpirun('openmpi', 'mpirun');
    expect(() => findMpirun({ PATH }, ['mpich'])).toThrow(/^--ranks: no mpirun of MPICH/);
    expect(() => findMpirun({ PATH }, [])).toThrow(
      /^--ranks: ranks are started by MPI, which rectiflow was built without; Open MPI can be started here\.\nInstall Open MPI .* "node scripts\/build-native.mjs --mpi"/,
    );
    expect(() => findMpirun({ PATH, RECTIFLOW_MPI: 'mpich' }, ['openmpi'])).toThrow(
      /^--ranks: ranks are started by MPICH, which rectiflow was built without/,
    );
    expect(() => findMpirun({ PATH, RECTIFLOW_MPI: 'lam' }, ['openmpi'])).toThrow(/RECTIFLOW_MPI .* got lam/);
  });
});

describe('what it is given', () => {
  it('of Open MPI', () => {
    const placement = {
      ranks: 3,
      hosts: [
        { name: 'a', slots: 2 },
        { name: 'b', slots: 2 },
      ],
      mpiArguments: ['--mca', 'x', 'y'],
    };
    const args = mpirunArguments('openmpi', placement, ['WANDB_API_KEY']).join(' ');
    expect(args).toMatch(
      /^-n 3 --bind-to none --oversubscribe --mca .* --host a:2,b:1 -x WANDB_API_KEY --mca x y$/,
    );
  });

  it('of MPICH, which passes the environment on by itself', () => {
    expect(mpirunArguments('mpich', { ranks: 3 }, ['WANDB_API_KEY'])).toEqual([
      '-n',
      '3',
      '-bind-to',
      'none',
    ]);
  });

  it('leave to be root, where it is', () => {
    expect(mpirunEnvironment(false)).toEqual({});
    expect(Object.keys(mpirunEnvironment(true))).toHaveLength(2);
  });
});
