// A stand-in for mpirun with one rank, which can be told apart from the real ones by nothing that a launcher of it relies on.
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MpiKind } from '../../src/distributed/native.ts';
import { temporaryFolder } from './cli.ts';

export interface FakeMpirun {
  readonly kind: MpiKind;
  readonly program: string;
  /** What is in the PATH where it is. */
  readonly folder: string;
}

const versions = { openmpi: 'mpirun (Open MPI) 4.1.4', mpich: 'HYDRA build details:\n    Version: 4.0.2' };

/** @param name of the program */
export async function fakeMpirun(kind: MpiKind, name = `mpirun.${kind}`): Promise<FakeMpirun> {
  const folder = await temporaryFolder();
  const program = join(folder, name);
  await writeFile(program, `#!${process.execPath}\n${source(kind)}`);
  await chmod(program, 0o755);
  return { kind, program, folder };
}

/** Words of Open MPI 4.1 and MPICH 4.0. */
const words = `
const dashes = '-'.repeat(74);
const equals = '='.repeat(83);
const frame = (...lines) => [dashes, ...lines, dashes];
const aborted = frame('Primary job  terminated normally, but 1 process returned', 'a non-zero exit code. Per user-direction, the job has been aborted.');
const openEnd = (code, signal) => signal
  ? [...aborted, ...frame('mpirun noticed that process rank 0 with PID 0 on node here exited on signal ' + signal + ' (Killed).')]
  : [...aborted, ...frame('mpirun detected that one or more processes exited with non-zero status, thus causing', 'the job to be terminated. The first process to do so was:', '', '  Process name: [[2584,1],0]', '  Exit code:    ' + code)];
const mpichEnd = (code, signal) => !signal ? [] : ['', equals, '=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES', '=   PID 12 RUNNING AT here', '=   EXIT CODE: ' + signal, '=   CLEANING UP REMAINING PROCESSES', '=   YOU CAN IGNORE THE BELOW CLEANUP MESSAGES', equals, 'YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Killed (signal ' + signal + ')', 'This typically refers to a problem with your application.', 'Please see the FAQ page for debugging suggestions'];
`;

function source(kind: MpiKind): string {
  const isOpen = kind === 'openmpi';
  return `
const { spawn } = require('node:child_process');
const { constants } = require('node:os');
if (process.argv[2] === '--version') {
  console.log(${JSON.stringify(versions[kind])});
  process.exit(0);
}
${words}
const at = process.argv.indexOf(process.execPath, 2);
const [program, ...args] = process.argv.slice(at);
const rank = spawn(program, args, { stdio: 'pipe', env: { ...process.env, MPIRUN_ARGUMENTS: process.argv.slice(2, at).join(' ') } });
process.stdin.pipe(rank.stdin);
rank.stdout.pipe(process.stdout);
rank.stderr.pipe(process.stderr);
process.on('SIGUSR1', () => {
  ${isOpen ? "console.error('mpirun: Forwarding signal 10 to job');" : ''}
  rank.kill('SIGUSR1');
});
process.on('SIGTERM', () => rank.kill('SIGKILL'));
rank.on('close', (code, name) => {
  const signal = name && constants.signals[name];
  const lines = code === 0 ? [] : ${isOpen ? 'openEnd' : 'mpichEnd'}(code, signal);
  if (lines.length > 0) console.${isOpen ? 'error' : 'log'}(lines.join('\\n'));
  process.stdin.destroy();
  process.exitCode = signal ? ${isOpen ? '128 + signal' : 'signal'} : code;
});
`;
}
