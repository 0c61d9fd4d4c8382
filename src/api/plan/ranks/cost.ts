// How long a step takes on many ranks: what each computes, and what they send each other.
//
// Gradients and weights go the way of ZeRO-1 (Rajbhandari et al. 2020, section 7): each of R ranks sends (R - 1) / R of N numbers to those
// that own them, and what it owns to R - 1 others, which is (R - 1) / R of N once more; as a ring that adds up all of them would
// (Patarasuk and Yuan 2009).
import type { Wire } from '../../../train/ranks/communicator.ts';
import { bucketBytes } from '../../../train/ranks/exchange.ts';
import type { Link } from './links.ts';

/** What one process would do of a step alone, with the threads of a rank, and with no other beside it. */
export interface StepWork {
  /** Seconds of a step: its shards, one after the other, and the update of all parameters. */
  readonly step: number;
  /** Those of the update. */
  readonly update: number;
  /** Micro-batches of a step, of all its shards. */
  readonly parts: number;
  /** Of the model. */
  readonly parameters: number;
}

/** Where ranks are, and what a machine of theirs can do beside its steps. */
export interface Layout {
  readonly ranks: number;
  /** Ranks of one machine, which reach each other by its memory. */
  readonly perMachine: number;
  /** To other machines. */
  readonly link: Link;
  /** Of one machine, and of one rank. */
  readonly cores: number;
  readonly threads: number;
  /** Bytes per second that one core copies. */
  readonly copying: number;
  /** Ranks that have the same cores, where machines are not what they seem: those of one machine by default. */
  readonly together?: number | undefined;
  /** What gradients travel as; float32 by default. */
  readonly wire?: Wire | undefined;
}

/** Seconds of one step, on the rank that takes longest. */
export interface StepCost {
  /** Its shards, and the update of its share of the parameters. */
  readonly shards: number;
  readonly update: number;
  /** Gradients to those that own them, and the weights back to all. */
  readonly gradients: number;
  readonly weights: number;
  /** Losses and norms to all. */
  readonly norms: number;
  /** The last three: what is not hidden behind the others. */
  readonly communication: number;
  readonly total: number;
  /** Bytes that it sends. */
  readonly sent: number;
}

/** Bytes of a number in float32. */
const float32 = 4;
/** Bytes of a message, where there is as much for each rank (native/mpi/exchange.cc): fewer, the more ranks there are. */
const message = { staged: 4 * 2 ** 20, largest: 2 ** 20, smallest: 64 * 2 ** 10 } as const;
/** Bytes of a rank's message in a gather. */
const gatherBlock = 1024;

/** How often a part moves the number of a parameter: its weight is read, its gradient written, and added to a sum. */
const movedByPart = 4;
/** The share of a part's time that its backward pass takes: it has two products for each one of the forward pass. */
const backward = 2 / 3;

/** What is not known of machines, but of this program on them: fitted by `npm run bench:scale`, but for the last two. */
export interface Constants {
  /** Copies that it costs the cores of a machine to pack a byte, carry it and add it up: for another rank there, and for another machine's. */
  readonly copiesWithin: number;
  readonly copiesBetween: number;
  /** So many ranks of a machine use its memory at a time without slowing each other down. */
  readonly memories: number;
  /** Seconds until all ranks have begun an exchange, and have been told of its end. */
  readonly exchange: number;
  /** The share of a link that is reached where a machine receives from several others at once. */
  readonly several: number;
  /** The share of a link's bits that are numbers: of a packet of 1538 bytes on the wire, 1448 are. */
  readonly payload: number;
  /** Seconds of a core for each message; so few are sent by few ranks that they cannot be seen in a step. */
  readonly message: number;
}

export const constants: Constants = {
  copiesWithin: 4.6,
  copiesBetween: 13,
  memories: 1.5,
  exchange: 300e-6,
  several: 0.89,
  payload: 0.95,
  message: 5e-6,
};

export function stepCost(work: StepWork, layout: Layout, fitted: Constants = constants): StepCost {
  const { ranks, cores, threads, copying } = layout;
  const together = togetherOf(layout);
  // Where there are more threads than cores, they take turns; and so do ranks that use the memory.
  const crowding = Math.max(1, (together * threads) / cores);
  const queueing = Math.max(crowding, together / fitted.memories);
  const ofShards = work.step - work.update;
  const moved = work.parts * movedByPart * float32 * work.parameters;
  const moving = Math.min(ofShards / 2, moved / (2 * copying));
  const shards = ((ofShards - moving) * crowding + moving * queueing) / ranks;
  const update = (work.update / ranks) * queueing;
  const lastPart = Math.min(shards, (shards * ranks) / work.parts);
  const [wire, whole] = [layout.wire === 'bf16' ? float32 / 2 : float32, float32];
  const exchange = (bytes: number, beside: number): Exchanged =>
    exchangeCost({ numbers: work.parameters, bytes, beside }, layout, fitted);
  const gradients = exchange(wire, backward * lastPart);
  const weights = exchange(whole, update);
  const norms = gatherCost(layout, fitted);
  const communication = gradients.seconds + weights.seconds + norms;
  return {
    shards,
    update,
    gradients: gradients.seconds,
    weights: weights.seconds,
    norms,
    communication,
    total: shards + update + communication,
    sent: gradients.sent + weights.sent,
  };
}

function togetherOf({ together, ranks, perMachine }: Layout): number {
  return together ?? Math.min(ranks, perMachine);
}

interface Exchanged {
  /** Bytes that a rank sends. */
  readonly sent: number;
  /** Seconds that a step takes longer. */
  readonly seconds: number;
}

interface Exchanging {
  /** So many numbers, of so many bytes each. */
  readonly numbers: number;
  readonly bytes: number;
  /** Seconds in which they are made, and leave one after the other. */
  readonly beside: number;
}

/**
 * Of one exchange, in which each rank sends every other one its share of some numbers, or its own share to every other one.
 *
 * The cores pack, copy and add up, which the computation beside it waits for; the link carries what is ready meanwhile, but the last that
 * leaves has nothing beside it. The slower of both is waited for.
 */
function exchangeCost({ numbers, bytes, beside }: Exchanging, layout: Layout, fitted: Constants): Exchanged {
  const { ranks, perMachine, link, cores, copying } = layout;
  if (ranks === 1) return { sent: 0, seconds: 0 };
  const onMachine = Math.min(ranks, perMachine);
  const together = togetherOf(layout);
  const ofPeer = (numbers * bytes) / ranks;
  const [within, between] = [(onMachine - 1) * ofPeer, (ranks - onMachine) * ofPeer];
  const times = Math.max(1, Math.ceil((numbers * float32) / bucketBytes));
  const messages = times * (ranks - 1) * Math.max(1, Math.ceil(ofPeer / times / messageBytes(ranks)));
  const copies = fitted.copiesWithin * within + fitted.copiesBetween * between;
  const handling = (together * (copies / copying + messages * fitted.message)) / Math.min(cores, together);
  const reached = fitted.payload * (ranks > 2 * onMachine ? fitted.several : 1);
  const carrying = (onMachine * between) / (link.bandwidth * reached);
  const trip = ranks > onMachine ? link.latency : 0;
  const last = carrying / times;
  return {
    sent: within + between,
    seconds: fitted.exchange + 2 * trip + Math.max(handling, last, carrying - beside * (1 - 1 / times)),
  };
}

/** Of a message, where there is as much for a rank. */
function messageBytes(ranks: number): number {
  return Math.min(message.largest, Math.max(message.smallest, message.staged / (ranks - 1)));
}

/** A block of each rank to all others, over a tree. */
function gatherCost({ ranks, perMachine, link }: Layout, fitted: Constants): number {
  if (ranks === 1) return 0;
  const rounds = Math.ceil(Math.log2(ranks));
  const onMachine = Math.min(ranks, perMachine);
  const isFar = ranks > onMachine;
  const carrying = isFar
    ? (onMachine * (ranks - onMachine) * gatherBlock) / (link.bandwidth * fitted.payload)
    : 0;
  return fitted.exchange + rounds * (fitted.message + (isFar ? link.latency : 0)) + carrying;
}
