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
    const args = mpirunArguments('openmpi', placement, ['WANDB_API_KEY'], 10_000).join(' ');
    expect(args).toMatch(
      /^-n 3 --bind-to none --oversubscribe --mca .* --host a:2,b:1 -x WANDB_API_KEY --mca x y$/,
    );
  });

  it.each([3000, 10_000, 60_000, 600_000])(
    'of Open MPI, whose processes miss a machine before ranks do that miss it after %i ms',
    (patience) => {
      const args = mpirunArguments('openmpi', { ranks: 2 }, [], patience).join(' ');
      const [time, interval, probes] = ['time', 'intvl', 'probes'].map((name) =>
        Number(new RegExp(`--mca oob_tcp_keepalive_${name} ([1-9]\\d*) `).exec(`${args} `)?.[1]),
      ) as [number, number, number];
      const misses = 1000 * (time + interval * probes);
      expect(misses).toBeGreaterThan(patience / 2);
      expect(misses).toBeLessThan(patience);
    },
  );

  it('of MPICH, which passes the environment on by itself', () => {
    expect(mpirunArguments('mpich', { ranks: 3 }, ['WANDB_API_KEY'], 10_000)).toEqual([
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
