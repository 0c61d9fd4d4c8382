// When a GPU is used, and what the user is told of it.
import { RectiflowError, valueError } from '../tensor/errors.ts';
import type { BackendChoice, ChosenBackend } from './choose.ts';
import { lookForGpu, nodeWebGpuBackend } from './node-gpu.ts';

/**
 * The GPU that is asked for.
 * @throws RectiflowError where there is none, or settings beside it are those of another backend
 */
export async function chooseGpu(choice: BackendChoice): Promise<ChosenBackend> {
  const [first] = settingsOfCpu(choice);
  if (first) throw valueError('backend', first[0], 'left out beside webgpu, as it is of the cpu', first[1]);
  return open(choice);
}

/** The GPU that `auto` takes: none where the CPU is asked for, or where a program would play the GPU. */
export async function findGpu(
  choice: BackendChoice,
): Promise<{ readonly chosen?: ChosenBackend; readonly notice?: string }> {
  if (!maySeekGpu(choice)) return {};
  const facts = await lookForGpu();
  if (typeof facts === 'string' || facts.isSoftware) return {};
  try {
    const { backend, notices } = await open(choice);
    const why = `backend.name is auto, and ${facts.name} was found by the package webgpu: it computes. Set it to cpu to leave the GPU out.`;
    return { chosen: { backend, notices: [why, ...notices] } };
  } catch (error) {
    if (!(error instanceof RectiflowError)) throw error;
    return { notice: `${facts.name} is there, and cannot be used: ${error.message}` };
  }
}

/** Whether `auto` may be a GPU: not where settings of the CPU are given, nor for ranks, of which a machine may have many. */
export function maySeekGpu(choice: Pick<BackendChoice, 'isRank' | 'threads' | 'isa'>): boolean {
  return !choice.isRank && settingsOfCpu(choice).length === 0;
}

async function open(choice: BackendChoice): Promise<ChosenBackend> {
  const {
    precision = 'auto',
    processes = 1,
    isRank,
    tuning = 'auto',
    subgroupMatrices = false,
    onNotice,
  } = choice;
  const backend = await nodeWebGpuBackend({
    precision,
    tuning: isRank ? 'off' : tuning,
    subgroupMatrices,
    onNotice,
  });
  const { name, isSoftware } = backend.facts;
  return {
    backend,
    notices: [
      ...(isSoftware ? [`${name} is a program, not a GPU: slower than backend.name cpu.`] : []),
      ...(processes > 1 ? [sharedNotice(processes)] : []),
    ],
  };
}

function sharedNotice(processes: number): string {
  return `${processes} ranks share one GPU: WebGPU gives all processes of a machine the same one. One rank for each machine is faster.`;
}

function settingsOfCpu({ threads = 'auto', isa = 'auto' }: BackendChoice): [name: string, value: unknown][] {
  return Object.entries({ threads, isa }).filter(([, value]) => value !== 'auto');
}
