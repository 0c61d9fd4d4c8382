// Machines on this one, to measure networks that are not here: network namespaces, each with a name, an address and a network card whose
// speed is limited in both directions by the kernel's token buckets (tc-tbf). Their latency is that of this kernel: nothing is added.
//
//   unshare --net --mount --propagation private node hosts.js COUNT BITS PROGRAM ARGUMENT...
//
// The program runs beside them, and reaches them by the names of `hostName` through `host-shell.js`, in place of ssh.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostName, network } from './host-names.ts';

const [count, bits] = process.argv.slice(2, 4).map(Number) as [number, number];
const [program, ...args] = process.argv.slice(4) as [string, ...string[]];

const run = (line: string): void => {
  const [command, ...words] = line.split(' ');
  execFileSync(command!, words, { stdio: ['ignore', 'ignore', 'inherit'] });
};

const folder = mkdtempSync(join(tmpdir(), 'rectiflow-hosts-'));
try {
  connect();
  const child = spawn(program, args, { stdio: 'inherit' });
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
} finally {
  rmSync(folder, { recursive: true });
}

/** A bridge in the middle, as a switch, and a card of each host that is plugged into it. */
function connect(): void {
  mkdirSync('/run/netns', { recursive: true });
  run('mount -t tmpfs tmpfs /run/netns');
  run('ip link set lo up');
  run('ip link add switch type bridge');
  run('ip link set switch up');
  run(`ip address add ${network.address(0)}/24 dev switch`);
  for (let host = 1; host <= count; host++) {
    const name = hostName(host);
    run(`ip netns add ${name}`);
    run(`ip link add port${host} type veth peer name eth0 netns ${name}`);
    run(`ip link set port${host} master switch up`);
    run(`ip -n ${name} link set lo up`);
    run(`ip -n ${name} address add ${network.address(host)}/24 dev eth0`);
    run(`ip -n ${name} link set eth0 up`);
    // What leaves the host, and what comes to it.
    run(`tc -n ${name} qdisc add dev eth0 root ${limited(bits)}`);
    run(`tc qdisc add dev port${host} root ${limited(bits)}`);
  }
  const names = Array.from({ length: count }, (_, i) => `${network.address(i + 1)} ${hostName(i + 1)}\n`);
  const hosts = join(folder, 'hosts');
  writeFileSync(hosts, readFileSync('/etc/hosts', 'utf8') + names.join(''));
  run(`mount --bind ${hosts} /etc/hosts`);
}

/** A burst is what passes in a millisecond, a large segment at least; half as much may wait as a switch has room for. */
function limited(bitsPerSecond: number): string {
  const burst = Math.max(128 * 1024, Math.ceil(bitsPerSecond / 8 / 1000));
  return `tbf rate ${bitsPerSecond}bit burst ${burst} limit ${4 * burst + 1024 * 1024}`;
}
