// How ranks are started on the machines of hosts.ts.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { hostName, network } from './host-names.ts';
import type { ScaleCase } from './scale-cases.ts';

export type Command = readonly [program: string, ...args: string[]];

/** Where two kinds of MPI are installed, mpirun may be the other. */
const launchers = ['mpirun.openmpi', 'mpirun'];

function openMpi(): string | undefined {
  return launchers.find((program) =>
    spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout?.includes('Open MPI'),
  );
}

/** @returns what is missing; undefined where machines can be made and reached */
export function whyNoHosts(): string | undefined {
  const made = spawnSync('unshare', ['--net', '--mount', 'tc', '-V'], { stdio: 'ignore' });
  if (made.status !== 0)
    return 'Network namespaces are needed, whose cards are slowed down: run it as root, on Linux with iproute2.';
  if (openMpi() === undefined)
    return 'Open MPI is needed: it starts ranks on machines that are reached by no ssh.';
  return undefined;
}

/** Faster than what a kernel carries: what is not slowed down. */
const unlimited = 1e12;
const units = { M: 1e6, G: 1e9 } as const;

function bitsOf(link: ScaleCase['link']): number {
  const [, number, unit] = /^(\d+)([MG])bit$/.exec(link) ?? [];
  return unit === undefined ? unlimited : Number(number) * units[unit as keyof typeof units];
}

/** The two programs behind it. */
const programsHere = { hosts: scriptOf('hosts.js'), shell: scriptOf('host-shell.js') };

function scriptOf(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** @returns a command that runs so many of the given one, the first of which has its standard input and output */
export function commandOnHosts(
  { ranks, link }: Pick<ScaleCase, 'ranks' | 'link'>,
  command: Command,
  { hosts: connecting, shell } = programsHere,
): Command {
  const hosts = link === 'memory' ? 1 : ranks;
  const slots = Array.from({ length: hosts }, (_, i) => `${hostName(i + 1)}:${ranks / hosts}`).join(',');
  const settings = {
    plm_rsh_agent: `${process.execPath} ${shell}`,
    // Machines are started from here, not from each other.
    plm_rsh_no_tree_spawn: '1',
    pml: 'ob1',
    btl: 'self,vader,tcp',
    btl_tcp_if_include: network.mask,
    oob_tcp_if_include: network.mask,
  };
  const makeHosts = ['unshare', '--net', '--mount', '--propagation', 'private'] as const;
  const onHosts = [process.execPath, connecting, String(hosts), String(bitsOf(link))];
  const launch = [
    openMpi()!,
    '--allow-run-as-root',
    '--bind-to',
    'none',
    '--host',
    slots,
    '-n',
    String(ranks),
  ];
  const how = Object.entries(settings).flatMap(([name, value]) => ['--mca', name, value]);
  return [...makeHosts, ...onHosts, ...launch, ...how, ...command];
}
