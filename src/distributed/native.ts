// Loads what was built with an MPI. This is the one place that knows where that lies and what it exports.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { packageFolder } from '../host/package-folder.ts';
import { RectiflowError } from '../tensor/errors.ts';
import type { Wire } from '../train/ranks/communicator.ts';

/** The two kinds of MPI. Processes of one are strangers to the launcher of the other. */
export const mpiKinds = ['openmpi', 'mpich'] as const;
export type MpiKind = (typeof mpiKinds)[number];

/** As a user knows them. MPICH's kind is that of Intel MPI, MVAPICH and Cray MPICH too. */
export const mpiNames: Readonly<Record<MpiKind, string>> = { openmpi: 'Open MPI', mpich: 'MPICH' };

const packages: Readonly<Record<MpiKind, string>> = {
  openmpi: 'openmpi-bin libopenmpi-dev',
  mpich: 'mpich libmpich-dev',
};

/** What MPI says of this process. */
export interface Membership {
  readonly rank: number;
  readonly ranks: number;
  readonly hosts: readonly string[];
  /** MPI's own words on what it is. */
  readonly library: string;
}

/** See src/train/ranks/communicator.ts: this is the same in arrays and bytes. Promises are rejected with an Error that has a sentence. */
export interface NativeMpi {
  /** Once in a process. Blocks until MPI has started. @param patience in milliseconds, until a rank that is not heard of is lost */
  start(
    patience: number,
    onMessage: (from: number, bytes: Uint8Array<ArrayBuffer>) => void,
    onFailure: (from: number, sentence: string) => void,
  ): Promise<Membership>;
  /** @param cuts of each array one more than there are ranks, one array's after the other's */
  sumRanges(arrays: readonly Float32Array[], cuts: Float64Array, wire: Wire): Promise<void>;
  shareRanges(arrays: readonly Float32Array[], cuts: Float64Array): Promise<void>;
  gather(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>[]>;
  send(to: number, bytes: Uint8Array): void;
  /** Tells all ranks: what they wait for, and what they ask for later, fails with this sentence. */
  fail(sentence: string): void;
  /** To be called now and then: JavaScript is not stuck. */
  alive(): void;
  /** What collectives have sent, and the time in which there were any. */
  traffic(): { readonly bytes: number; readonly seconds: number };
  /**
   * Ends MPI together with all other ranks. Once.
   * @param exitCode that the process ends with where MPI does not let it go although all ranks are done
   */
  close(exitCode: number): Promise<void>;
}

const ownFolder = fileURLToPath(packageFolder);

/** @param root the package's folder, with a separator at its end */
function pathOf(kind: MpiKind, root: string): string {
  return `${root}build/Release/mpi_${kind}.node`;
}

/** The kinds of MPI that this package was built with. */
export function builtMpi(root: string = ownFolder): MpiKind[] {
  return mpiKinds.filter((kind) => existsSync(pathOf(kind, root)));
}

/**
 * What was built with that MPI.
 * @param startedBy who started the ranks, for the message
 * @throws RectiflowError that says what to install and how to build
 */
export function loadMpi(kind: MpiKind, startedBy: string, root: string = ownFolder): NativeMpi {
  const path = pathOf(kind, root);
  const name = mpiNames[kind];
  if (!existsSync(path)) {
    const others = builtMpi(root).map((other) => mpiNames[other]);
    const found = others.length === 0 ? 'no MPI' : `${others.join(' and ')} alone`;
    throw new RectiflowError('ranks', [
      `ranks: this process was started by ${startedBy}, which needs rectiflow to be built with ${name}; it was built with ${found}.`,
      adviceToInstall(kind, root),
    ]);
  }
  keepHeap();
  sendUnasked();
  try {
    return createRequire(import.meta.url)(path) as NativeMpi;
  } catch (error) {
    const words = (error as Error).message.split('\n')[0]!;
    throw new RectiflowError('ranks', [
      `ranks: ${path}, which rectiflow needs where ${startedBy} starts it, could not be loaded: ${words}.`,
      `The ${name} that it was built with has to be there (on a cluster load the same module); or run ` +
        `"node scripts/build-native.mjs --mpi" in ${root} to build it with the one that is.`,
    ]);
  }
}

/** What to do where that MPI, or what is built with it, is not there. */
export function adviceToInstall(kind: MpiKind, root: string = ownFolder): string {
  return (
    `Install ${mpiNames[kind]} (Debian, Ubuntu: apt-get install ${packages[kind]}; on a cluster load its module), then run ` +
    `"node scripts/build-native.mjs --mpi" in ${root}.${whereMpiBuildIsTold(root)}`
  );
}

/**
 * UCX, on which MPI may stand, tries as it is loaded whether it notices changes of the heap: it adds a page and takes one away. Where there
 * is no room for one more, which next to the code of V8 happens, it takes one that is in use. Whoever sets this decides for himself.
 */
function keepHeap(): void {
  process.env['UCX_MEM_MMAP_HOOK_MODE'] ??= 'none';
}

/** Bytes of the longest message of an exchange (native/mpi/exchange.cc), with room for what MPI writes before it. */
const longestMessage = 2 ** 20 + 2 ** 12;

/**
 * Over TCP, Open MPI asks before it sends what is long, and the answer comes behind all that is on its way already: a link that is filled
 * both ways would carry nothing for a third of the time. Whoever receives waits for each message of an exchange as it is, so that it may
 * come unasked. Memory for messages is then taken in smaller steps. Whoever sets these decides for himself.
 */
function sendUnasked(): void {
  const settings = {
    btl_tcp_eager_limit: longestMessage,
    btl_tcp_rndv_eager_limit: longestMessage,
    btl_tcp_max_send_size: longestMessage,
    btl_tcp_free_list_num: 4,
    btl_tcp_free_list_inc: 4,
  };
  for (const [name, value] of Object.entries(settings)) process.env[`OMPI_MCA_${name}`] ??= String(value);
}

function whereMpiBuildIsTold(root: string): string {
  const log = `${root}build/mpi.log`;
  return existsSync(log) ? ` What the last attempt said is in ${log}.` : '';
}
