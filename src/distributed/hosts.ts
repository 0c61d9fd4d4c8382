// The machines that ranks are started on, in one way for every MPI, and which of them gets how many.
import { readFile } from 'node:fs/promises';
import { RectiflowError, fileError, systemProblem } from '../tensor/errors.ts';

export interface Host {
  readonly name: string;
  /** How many ranks it takes; undefined where that was not said. */
  readonly slots: number | undefined;
}

/** `a,b:2` @param origin the option, for the message @throws RectiflowError where a part names no machine */
export function parseHosts(text: string, origin = '--hosts'): Host[] {
  return text.split(',').map((part) => {
    const host = parseHost(part.trim());
    if (host) return host;
    throw new RectiflowError(
      'ranks',
      `${origin}: must be names of machines with commas between them, and behind a colon how many ranks each takes, as in ` +
        `node-1:2,node-2:2, got ${JSON.stringify(part)}.`,
    );
  });
}

/**
 * A file with a machine on each line, as Open MPI (`node-1 slots=2`) or MPICH (`node-1:2`) has them.
 * @throws RectiflowError where it cannot be read, names no machine, or has another line
 */
export async function readHostfile(path: string): Promise<Host[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw fileError(
      path,
      systemProblem(error),
      'Give --hostfile a file with the name of a machine on each line',
      error,
    );
  });
  const hosts = text.split('\n').flatMap((line, i) => {
    const content = line.replace(/#.*$/, '').trim();
    if (content === '') return [];
    const host = parseHost(content);
    if (host) return [host];
    throw fileError(
      path,
      `line ${i + 1} is ${JSON.stringify(content)}`,
      'Each line is the name of a machine, and how many ranks it takes: node-1, node-1:2 or node-1 slots=2',
    );
  });
  if (hosts.length > 0) return hosts;
  throw fileError(path, 'names no machine', 'Write the name of a machine on each line');
}

/** `node-1`, `node-1:2` or `node-1 slots=2` */
function parseHost(text: string): Host | undefined {
  const name = /[A-Za-z0-9][A-Za-z0-9._-]*/.source;
  const slots = /:(\d{1,6})|\s+slots\s*=\s*(\d{1,6})(?:\s+max[-_]slots\s*=\s*\d+)?/.source;
  const [, host, behindColon, behindSlots] = new RegExp(`^(${name})(?:${slots})?$`).exec(text) ?? [];
  if (host === undefined) return undefined;
  const count = behindColon ?? behindSlots;
  if (count === undefined) return { name: host, slots: undefined };
  return Number(count) > 0 ? { name: host, slots: Number(count) } : undefined;
}

/**
 * How many ranks each machine gets, in the order given: as many as it takes; where that is said of none, all get as many as the others,
 * or one less; where it is said of some, the others take one.
 * @throws RectiflowError where they take fewer than there are to be
 */
export function placeRanks(hosts: readonly Host[], ranks: number): { name: string; ranks: number }[] {
  const isEven = hosts.every(({ slots }) => slots === undefined);
  let left = ranks;
  const placed = hosts.map(({ name, slots = 1 }, i) => {
    const own = isEven ? Math.ceil(left / (hosts.length - i)) : Math.min(slots, left);
    left -= own;
    return { name, ranks: own };
  });
  if (left > 0)
    throw new RectiflowError(
      'ranks',
      `--ranks: ${ranks} were asked for, but ${hosts.map(({ name, slots = 1 }) => `${name}:${slots}`).join(',')} take ` +
        `${ranks - left}. Ask for fewer, name more machines, or write behind each how many it takes, as in ${hosts[0]!.name}:${Math.ceil(ranks / hosts.length)}.`,
    );
  return placed.filter(({ ranks: own }) => own > 0);
}
