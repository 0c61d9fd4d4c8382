import { expect, it } from 'vitest';
import { launcherOf, mpiOf } from '../../bench/mpi.ts';

const program = ['node', 'child.js'] as const;

it('Open MPI is told that ranks may be on any core, and share cores where they have to', () => {
  const told = 'mpirun (Open MPI) 4.1.4\n\nReport bugs to http://www.open-mpi.org/community/help/\n';
  const mpi = mpiOf(launcherOf('mpirun', told), 2);
  expect(mpi.version).toBe('Open MPI 4.1.4');
  expect(mpi.commandOf(2, program).join(' ')).toBe('mpirun -n 2 --bind-to none node child.js');
  expect(mpi.commandOf(4, program).join(' ')).toBe(
    'mpirun -n 4 --bind-to none --oversubscribe node child.js',
  );
});

it('MPICH asks for none of that', () => {
  const told = 'HYDRA build details:\n    Version:                                 4.0.2\n';
  const mpi = mpiOf(launcherOf('mpirun.mpich', told), 2);
  expect(mpi.version).toBe('MPICH 4.0.2');
  expect(mpi.commandOf(4, program).join(' ')).toBe('mpirun.mpich -n 4 node child.js');
});
