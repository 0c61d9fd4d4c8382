// What joins the machines of a run's ranks.
import { valueError } from '../../../tensor/errors.ts';

/** From one machine to the others. */
export interface Link {
  readonly name: string;
  /** Bytes per second that a machine sends, while it receives as many. */
  readonly bandwidth: number;
  /** Seconds from one machine to another, for the first byte. */
  readonly latency: number;
}

/**
 * Seconds, through the sockets of two machines and a switch: Ethernet's, where nothing else is said. Measured ones are from 10 to 100 µs;
 * half of what ping says.
 */
export const ethernetLatency = 50e-6;

const prefixes = { k: 1e3, M: 1e6, G: 1e9 } as const;

/**
 * A link by its rate, as cards and switches are sold: `100Mbit`, `1Gbit`, `2.5Gbit/s`.
 * @param latency in seconds
 * @throws RectiflowError where that is no rate, or no time
 */
export function linkOf(rate: string, latency: number = ethernetLatency): Link {
  const [, number, prefix] = /^\s*(\d+(?:\.\d+)?)\s*([kMG])bit(?:\/s)?\s*$/.exec(rate) ?? [];
  const bits = Number(number) * prefixes[prefix as keyof typeof prefixes];
  if (!(bits > 0)) throw valueError('plan', 'link', 'bits per second, as in 100Mbit or 10Gbit', `"${rate}"`);
  checkLatency(latency);
  return { name: `${Number(number)} ${prefix}bit/s`, bandwidth: bits / 8, latency };
}

/** @throws RectiflowError where that is no time */
export function checkLatency(latency: number): void {
  if (!(latency >= 0 && latency <= 10)) throw valueError('plan', 'latency', 'seconds from 0 to 10', latency);
}
