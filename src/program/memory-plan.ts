import { bytesPerElement } from '../tensor/dtype.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Location, locate } from './location.ts';
import { formatTensor, formatType } from './print.ts';
import { oncePerProgram } from './once-per-program.ts';
import { type Program, isWork, opOf } from './program.ts';

/** Offsets are multiples of a cache line, which is also the widest vector. */
const alignment = 64;

/** Backends hold an arena in pieces of this many bytes: Node 20 has no larger block of memory that is not its own. */
export const pieceBytes: number = 2 ** 32;

/** Where one intermediate lives in the arena, and from which node to which (both included). */
export interface Placement {
  readonly tensor: Tensor;
  readonly offset: number;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** An offset in one arena for every intermediate; values whose lifetimes do not meet share memory. */
export interface MemoryPlan {
  readonly arenaBytes: number;
  readonly placements: readonly Placement[];
  /** Optional outputs that nothing reads: they have no place and are not made. */
  readonly leftOut: ReadonlySet<Tensor>;
  /** The value whose memory holds this one, itself or what it is a view of, and where it begins there. */
  locate(tensor: Tensor): Location;
  toString(): string;
}

export function bytesOf({ shape, dtype }: Pick<Tensor, 'shape' | 'dtype'>): number {
  return sizeOf(shape) * bytesPerElement(dtype);
}

/** Places the largest values first, each at the lowest offset that is free for its whole lifetime. */
export const planMemory: (program: Program) => MemoryPlan = oncePerProgram((program) =>
  planPieces(program, pieceBytes),
);

/** @param piece no value lies across a multiple of so many bytes, unless it is larger itself */
export function planPieces(program: Program, piece: number): MemoryPlan {
  const location = locate(program);
  const lifetimes = new Map<Tensor, { first: number; last: number }>();
  const leftOut = unreadOptionalOutputs(program);
  program.nodes.forEach((node, time) => {
    for (const tensor of node.inputs) {
      const lifetime = lifetimes.get(location(tensor).memory);
      if (lifetime) lifetime.last = time;
    }
    if (!isWork(node)) return;
    for (const tensor of node.outputs)
      if (!leftOut.has(tensor)) lifetimes.set(tensor, { first: time, last: time });
  });
  for (const tensor of program.outputs.values()) {
    const lifetime = lifetimes.get(location(tensor).memory);
    if (lifetime) lifetime.last = program.nodes.length;
  }

  const values = [...lifetimes].map(([tensor, lifetime]) => ({ tensor, size: bytesOf(tensor), ...lifetime }));
  const largestFirst = values.toSorted((a, b) => b.size - a.size || a.tensor.id - b.tensor.id);
  const placements: Placement[] = [];
  const byOffset: Placement[] = [];
  for (const { tensor, size, first, last } of largestFirst) {
    const bytes = Math.ceil(Math.max(size, 1) / alignment) * alignment;
    const placement = {
      tensor,
      offset: lowestGap(byOffset, { bytes, first, last }, piece),
      bytes,
      first,
      last,
    };
    placements.push(placement);
    byOffset.splice(indexBehind(byOffset, placement.offset), 0, placement);
  }
  const arenaBytes = placements.reduce((end, { offset, bytes }) => Math.max(end, offset + bytes), 0);
  return {
    arenaBytes,
    placements,
    leftOut,
    locate: location,
    toString: () => formatPlan(program, arenaBytes, placements),
  };
}

/**
 * Offsets for what keeps its memory between runs: inputs, constants and outputs, which the plan has a place for as well, so that a
 * backend is free to read them there.
 */
export function placeBeside(
  program: Program,
  plan: Pick<MemoryPlan, 'locate'>,
): { readonly bytes: number; readonly offsets: ReadonlyMap<Tensor, number> } {
  const constants = program.nodes.filter((node) => opOf(node).kind === 'constant');
  const state = new Set(program.state);
  const outputs = [...program.outputs.values()]
    .map((tensor) => plan.locate(tensor).memory)
    .filter((tensor) => !state.has(tensor));
  const offsets = new Map<Tensor, number>();
  let bytes = 0;
  for (const tensor of [...program.inputs, ...constants.map((node) => node.outputs[0]!), ...outputs]) {
    if (offsets.has(tensor)) continue;
    offsets.set(tensor, bytes);
    bytes += Math.ceil(bytesOf(tensor) / alignment) * alignment;
  }
  return { bytes, offsets };
}

function unreadOptionalOutputs(program: Program): Set<Tensor> {
  const read = new Set([...program.outputs.values(), ...program.nodes.flatMap(({ inputs }) => inputs)]);
  const optional = program.nodes.flatMap((node) =>
    (opOf(node).optionalOutputs ?? []).flatMap((i) => node.outputs[i] ?? []),
  );
  return new Set(optional.filter((tensor) => !read.has(tensor)));
}

/** @param byOffset what is placed already, the lowest first */
function lowestGap(
  byOffset: readonly Placement[],
  { bytes, first, last }: Omit<Placement, 'tensor' | 'offset'>,
  piece: number,
): number {
  let offset = 0;
  for (const other of byOffset) {
    if (other.first > last || first > other.last) continue;
    if (offset + bytes <= other.offset) break;
    offset = inOnePiece(Math.max(offset, other.offset + other.bytes), bytes, piece);
  }
  return offset;
}

/** The index of the first that lies behind an offset. */
function indexBehind(byOffset: readonly Placement[], offset: number): number {
  let [low, high] = [0, byOffset.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (byOffset[middle]!.offset <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first offset from `offset` on where a value ends in the piece that it begins in. */
function inOnePiece(offset: number, bytes: number, piece: number): number {
  const left = piece - (offset % piece);
  return bytes <= left || left === piece ? offset : offset + left;
}

function formatPlan(program: Program, arenaBytes: number, placements: readonly Placement[]): string {
  const separate = placements.reduce((total, { bytes }) => total + bytes, 0);
  const lines = [...placements]
    .toSorted((a, b) => a.first - b.first || a.offset - b.offset)
    .map(
      ({ tensor, offset, bytes, first, last }) =>
        `${String(offset).padStart(12)} +${String(bytes).padEnd(11)} nodes ${first}..${last}  ` +
        `${formatTensor(tensor)}: ${formatType(tensor)}`,
    );
  return [`arena of ${program.name}: ${arenaBytes} bytes for ${separate} bytes of values`, ...lines].join(
    '\n',
  );
}
