// Machines that a plan can tell of without having them: what their makers say that they reach, and what is assumed of that.
import { valueError } from '../../tensor/errors.ts';
import { didYouMean } from '../../tensor/suggest.ts';
import { type Link, linkOf } from './ranks/links.ts';

export interface Machine {
  readonly name: string;
  /** Floating-point operations per second of dense products, as the maker states them: of bfloat16 summed in float32, and of float32. */
  readonly bf16: number;
  readonly fp32: number;
  /** Bytes. */
  readonly memory: number;
  /** From one of several such machines to the next. */
  readonly link: Link;
  /** Where the figures are from. */
  readonly source: string;
}

const [tera, giga, gibi] = [1e12, 1e9, 2 ** 30];
/** Of devices in one machine: that of a kernel that waits for another's, about. */
const deviceLatency = 5e-6;
const nvlink = (bandwidth: number): Link => ({
  name: `NVLink, ${bandwidth / giga} GB/s`,
  bandwidth,
  latency: deviceLatency,
});
const pcie4: Link = { name: 'PCIe 4.0 x16, 25 GB/s', bandwidth: 25 * giga, latency: deviceLatency };
const ethernet: Link = { ...linkOf('10Gbit'), name: '10 Gbit/s Ethernet' };

/** Without the doubling that makers state for sparse products. */
export const machines: readonly Machine[] = [
  {
    name: 'RTX-3060',
    bf16: 25.5 * tera,
    fp32: 12.7 * tera,
    memory: 12 * gibi,
    link: pcie4,
    source: 'NVIDIA GA102 whitepaper, per core and clock: 28 SM, 1.777 GHz',
  },
  {
    name: 'RTX-4090',
    bf16: 165.2 * tera,
    fp32: 82.6 * tera,
    memory: 24 * gibi,
    link: pcie4,
    source: 'NVIDIA Ada GPU architecture whitepaper',
  },
  {
    name: 'A100',
    bf16: 312 * tera,
    fp32: 19.5 * tera,
    memory: 80 * giga,
    link: nvlink(300 * giga),
    source: 'NVIDIA A100 80 GB SXM data sheet',
  },
  {
    name: 'H100',
    bf16: 989.4 * tera,
    fp32: 66.9 * tera,
    memory: 80 * giga,
    link: nvlink(450 * giga),
    source: 'NVIDIA H100 whitepaper, SXM5',
  },
  {
    name: 'H200',
    bf16: 989.4 * tera,
    fp32: 66.9 * tera,
    memory: 141 * giga,
    link: nvlink(450 * giga),
    source: 'NVIDIA H200 data sheet, SXM',
  },
  {
    name: 'M1-Max',
    bf16: 10.6 * tera,
    fp32: 10.6 * tera,
    memory: 64 * gibi,
    link: ethernet,
    source: '32 cores of 128 lanes at 1.296 GHz; bf16 is no faster than fp32',
  },
];

/**
 * The share of its peak that training is assumed to reach on such a machine. Large transformers reach 0.3 to 0.5 on GPUs for data
 * centres; small models reach less.
 */
export const assumedUtilisation = 0.4;

/** Of machines like this one, where there are several. */
export const thisLink: Link = ethernet;

/** How the machine that plans is called where machines are chosen. */
export const thisMachine = 'this';

/** @throws RectiflowError that lists the machines, and guesses the one that was meant */
export function machineOf(name: string): Machine {
  const found = machines.find((machine) => machine.name.toLowerCase() === name.toLowerCase());
  if (found) return found;
  const known = [thisMachine, ...machines.map((machine) => machine.name)];
  throw valueError('plan', 'machine', `one of ${known.join(', ')}`, `"${name}".${didYouMean(name, known)}`);
}
