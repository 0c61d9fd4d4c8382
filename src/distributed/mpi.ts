// Ranks that are processes, on one machine or many, and reach each other by MPI.
import { RectiflowError, internalError } from '../tensor/errors.ts';
import { type Communicator, type RangedArray, type Wire, nameOfRank } from '../train/ranks/communicator.ts';
import { type Launch, findPatience } from './launcher.ts';
import { Mailbox } from './mailbox.ts';
import { type Membership, type NativeMpi, loadMpi, mpiNames } from './native.ts';

/** What was sent by this rank, without messages, and the time in which ranks did something together. */
export interface Traffic {
  readonly bytes: number;
  readonly seconds: number;
}

/** Until it is closed it keeps the process alive. */
export interface MpiCommunicator extends Communicator {
  /** `Open MPI v4.1.4` */
  readonly library: string;
  /** Among the ranks of this machine, from 0. */
  readonly localRank: number;
  readonly localRanks: number;
  /** Aborts where a rank has failed, with the error that all functions throw from then on. */
  readonly failure: AbortSignal;
  traffic(): Traffic;
  /** Whether an error tells of the failure of another rank, which says so itself. */
  isToldElsewhere(error: unknown): boolean;
  /**
   * To be called where this rank cannot go on: what the others wait for, or ask for later, fails with `rank 3 on node-7: <sentence>`, so
   * that they can end as well. Then they, and this one, close.
   */
  fail(sentence: string): void;
  /**
   * Waits for all ranks to close, and ends MPI. After a failure it waits for no more than 5 s, so that each has time to put its things in
   * order: launchers end all processes at once when one has ended with an error.
   */
  close(): Promise<void>;
}

/**
 * Joins the ranks that were started with this one. Once in a process.
 * @throws RectiflowError where the MPI they need is not there, or another than that of their launcher
 */
export async function connectRanks(launch: Launch): Promise<MpiCommunicator> {
  const patience = findPatience();
  const native = loadMpi(launch.mpi, launch.by);
  const mailbox = new Mailbox();
  const failure = new Failure();
  const membership = await native
    .start(
      patience,
      (from, bytes) => {
        const [topic, message] = decode(bytes) as [string, unknown];
        mailbox.deliver(topic, message, from);
      },
      (from, sentence) => failure.report(from, sentence),
    )
    .catch((error: Error) => {
      throw new RectiflowError('ranks', `ranks: MPI did not start: ${error.message}`);
    });
  const pulse = setInterval(() => native.alive(), Math.min(1000, patience / 10)).unref();
  const close = async (): Promise<void> => {
    await native.close(Number(process.exitCode ?? 0));
    clearInterval(pulse);
  };
  if (membership.ranks === 1 && launch.ranks !== undefined && launch.ranks > 1) {
    await close();
    throw strangers(launch, launch.ranks);
  }
  return communicator(native, membership, { mailbox, failure, close });
}

interface Parts {
  readonly mailbox: Mailbox;
  readonly failure: Failure;
  readonly close: () => Promise<void>;
}

function communicator(
  native: NativeMpi,
  { rank, ranks, hosts, library }: Membership,
  { mailbox, failure, close }: Parts,
): MpiCommunicator {
  const onHost = hosts.flatMap((host, other) => (host === hosts[rank] ? [other] : []));
  let closing: Promise<void> | undefined;
  const together = <T>(result: Promise<T>): Promise<T> =>
    result.catch((error: Error) => {
      throw failure.error ?? new RectiflowError('ranks', error.message);
    });
  const gather = (bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>[]> => together(native.gather(bytes));
  return {
    rank,
    ranks,
    hosts,
    library: shortLibrary(library),
    localRank: onHost.indexOf(rank),
    localRanks: onHost.length,
    failure: failure.signal,
    traffic: () => native.traffic(),
    async sumRanges(arrays, wire: Wire = 'fp32') {
      const [values, cuts] = split('sumRanges', arrays, ranks);
      await together(native.sumRanges(values, cuts, wire));
    },
    async shareRanges(arrays) {
      const [values, cuts] = split('shareRanges', arrays, ranks);
      await together(native.shareRanges(values, cuts));
    },
    async gather(values) {
      const all = await gather(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      const other = all.findIndex((bytes) => bytes.length !== values.byteLength);
      if (other !== -1)
        throw internalError(
          `gather: ${nameOfRank({ hosts }, other)} gave ${all[other]!.length / 4} numbers, and rank ${rank} ${values.length}`,
        );
      const result = new Float32Array(ranks * values.length);
      all.forEach((bytes, i) => result.set(new Float32Array(bytes.buffer), i * values.length));
      return result;
    },
    async gatherJson<T>(value: T) {
      return (await gather(encode(value))).map((bytes) => decode(bytes) as T);
    },
    send: (to, topic, message) => native.send(to, encode([topic, message])),
    onMessage: (topic, listener) => mailbox.listen(topic, listener),
    isToldElsewhere: (error) => failure.error === error && failure.from !== rank,
    fail: (sentence) => native.fail(`${nameOfRank({ hosts }, rank)}: ${sentence}`),
    close: () => (closing ??= close()),
  };
}

/** The first failure of a rank; the others follow from it. */
class Failure {
  readonly #controller = new AbortController();
  readonly signal: AbortSignal = this.#controller.signal;
  error: RectiflowError | undefined;
  from: number | undefined;

  report(from: number, sentence: string): void {
    if (this.error) return;
    this.from = from;
    this.error = new RectiflowError('ranks', sentence);
    this.#controller.abort(this.error);
  }
}

/** Arrays and their cuts as native code takes them. */
function split(
  what: string,
  arrays: readonly RangedArray[],
  ranks: number,
): [values: Float32Array[], cuts: Float64Array] {
  const cuts = new Float64Array(arrays.length * (ranks + 1));
  arrays.forEach(({ values, cuts: own }, i) => {
    const isRanged =
      own.length === ranks + 1 &&
      own.every((cut, k) => Number.isInteger(cut) && cut >= (own[k - 1] ?? 0) && cut <= values.length);
    if (!isRanged)
      throw internalError(
        `${what}: array ${i} of ${values.length} numbers has the cuts ${own.join(', ')} for ${ranks} ranks`,
      );
    cuts.set(own, i * (ranks + 1));
  });
  return [arrays.map(({ values }) => values), cuts];
}

function strangers({ by, mpi }: Launch, ranks: number): RectiflowError {
  return new RectiflowError('ranks', [
    `ranks: ${by} started ${ranks} processes, but by ${mpiNames[mpi]}, which rectiflow was to use, each of them is alone.`,
    `Start them with the launcher of ${mpiNames[mpi]} (mpirun.${mpi}, where several are installed), ` +
      'or leave RECTIFLOW_MPI out of the environment.',
  ]);
}

/** `Open MPI v4.1.4` of a line, or `MPICH 4.0.2` of a page. */
function shortLibrary(words: string): string {
  const mpich = /^MPICH Version:\s*(\S+)/.exec(words);
  return mpich ? `MPICH ${mpich[1]}` : words.split(/[,\n]/)[0]!.trim();
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function encode(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value ?? null));
}

function decode(bytes: Uint8Array): unknown {
  return JSON.parse(decoder.decode(bytes));
}
