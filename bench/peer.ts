// The interpreter that runs the PyTorch side: a given one, or one in a virtual environment of the benchmarks' own.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const environment = join(root, 'build', 'bench-venv');
const packages = ['torch==2.13.0', 'numpy', 'pillow'];

export interface Peer {
  readonly python: string;
  /** Of PyTorch. */
  readonly version: string;
}

/** Undefined where there is no PyTorch to be had; the reason is on the terminal then. */
export function findPeer(given: string | undefined): Peer | undefined {
  try {
    const python = given ?? madePython();
    const probe = 'import torch; print(torch.__version__)';
    return { python, version: call(python, ['-c', probe]) };
  } catch (error) {
    console.error(`PyTorch is left out: ${(error as Error).message}`);
    return undefined;
  }
}

export function peerScript(name: 'step' | 'ranks' | 'sample' | 'loader' | 'convolution'): string {
  return join(root, 'bench', 'peer', `${name}.py`);
}

function madePython(): string {
  const python = join(environment, 'bin', 'python');
  if (existsSync(python) && spawnSync(python, ['-c', 'import torch, PIL']).status === 0) return python;
  console.error(`Installing ${packages.join(', ')} into build/bench-venv, once ...`);
  call('python3', ['-m', 'venv', environment]);
  call(python, ['-m', 'pip', 'install', '--quiet', ...packages]);
  return python;
}

function call(command: string, args: readonly string[]): string {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return stdout.trim();
  throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim().split('\n').at(-1)}`);
}
