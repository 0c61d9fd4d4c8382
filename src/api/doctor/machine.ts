// Checks of the machine: each a function of what was measured, so that what a test cannot have (a full disk) can be tried.
import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Precision } from '../../backends/backend.ts';
import type { Isa } from '../../backends/cpu/index.ts';
import type { BackendConfig } from '../../config/config.ts';
import { type DeviceEstimate, mebibytes } from '../../train/memory-estimate.ts';
import { type Check, firstOf } from './check.ts';

/** The lowest major version of Node that package.json allows. */
const leastNode = 20;

/** @param version as in process.version */
export function checkNode(version: string): Check {
  const isOld = Number.parseInt(version.slice(1), 10) < leastNode;
  const text = `Node ${version} is too old: install version ${leastNode} or newer`;
  return firstOf('node', `Node ${version}`, [[isOld, 'fail', text]]);
}

/** @param problem why the native kernels cannot be used; undefined where they can */
export function checkKernels(name: BackendConfig['name'], problem: string | undefined): Check {
  return firstOf('kernels', 'the native kernels are built', [
    [
      name === 'reference',
      'warn',
      'backend.name is reference, an interpreter that is hundreds of times slower: leave it out to train in earnest',
    ],
    [problem !== undefined, 'fail', problem ?? ''],
  ]);
}

/**
 * @param isa what is used; undefined on the reference interpreter
 * @param available what the machine has, the best first
 */
export function checkInstructions(
  isa: Isa | undefined,
  available: readonly Isa[],
  precision: Precision,
): Check {
  const [best] = available;
  return firstOf('instructions', `${isa ?? 'none'}, ${precision}`, [
    [
      isa !== undefined && isa !== best,
      'warn',
      `backend.isa is ${isa}, but this machine has ${best}, which is faster: set it to auto`,
    ],
    [
      isa === 'portable',
      'warn',
      'this machine has no AVX2: kernels are the portable ones, several times slower',
    ],
    [
      isa !== undefined && isa !== 'avx512-bf16' && precision === 'bf16',
      'warn',
      `bf16 is emulated with ${isa}: it saves memory, but no time. Set train.precision to fp32 where memory is enough`,
    ],
  ]);
}

/** @param physical cores that this process may use */
export function checkThreads(threads: number, physical: number): Check {
  return firstOf('threads', `${threads} of ${physical} physical cores`, [
    [
      threads > physical,
      'warn',
      `backend.threads is ${threads}, but there are ${physical} physical cores: more threads only wait for each other. Set it to auto`,
    ],
    [
      threads < physical,
      'warn',
      `backend.threads is ${threads}, and ${physical} physical cores are there: set it to auto to use them all`,
    ],
  ]);
}

/**
 * @param free bytes that there are for it
 * @param device what lies on a GPU, where one computes
 */
export function checkMemory(needed: number, free: number, device?: DeviceEstimate): Check {
  const numbers = `training takes about ${mebibytes(needed)}, ${mebibytes(free)} are free${ofDevice(device)}`;
  return firstOf('memory', numbers, [
    [
      needed > free,
      'fail',
      `${numbers}: set train.microBatch to auto or train.memory to recompute, lower train.batchSize, or end other programs`,
    ],
    [needed > 0.8 * free, 'warn', `${numbers}: that is tight, so end other programs`],
  ]);
}

function ofDevice(device: DeviceEstimate | undefined): string {
  if (device === undefined) return '';
  const { bytes, largest, most, isSeparate } = device;
  const taken = `; it needs ${mebibytes(bytes)} of the GPU's memory, of which WebGPU does not tell how much there is`;
  return `${isSeparate ? taken : ''}; its largest value is ${mebibytes(largest)} of ${mebibytes(most)} allowed`;
}

/**
 * Both in bytes.
 * @param checkpoint the size of one
 */
export function checkDisk(checkpoint: number, free: number, keep: number): Check {
  const numbers = `a checkpoint takes ${mebibytes(checkpoint)}, ${mebibytes(free)} are free`;
  return firstOf('disk', numbers, [
    [
      free < 2 * checkpoint,
      'fail',
      `${numbers}: there must be room for two, the one being written and the one before. Clear the disk, or choose another folder`,
    ],
    [
      free < (keep + 1) * checkpoint,
      'warn',
      `${numbers}: train.keepCheckpoints of ${keep} will not fit. Lower it, or clear the disk`,
    ],
  ]);
}

/** Bytes that may be written to the disk of a folder, which may be yet to be made. */
export async function freeDisk(folder: string): Promise<number> {
  const path = resolve(folder);
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw error;
    return freeDisk(dirname(path));
  }
}
