// Stands in for ssh between the machines of bench/hosts.ts: host-shell.js HOST COMMAND...
import { spawn } from 'node:child_process';

const [host, ...command] = process.argv.slice(2) as [string, ...string[]];
const inside = `hostname ${host} && exec sh -c '${command.join(' ').replaceAll("'", String.raw`'\''`)}'`;
const child = spawn('ip', ['netns', 'exec', host, 'unshare', '--uts', 'sh', '-c', inside], {
  stdio: 'inherit',
});
child.once('exit', (code) => {
  process.exitCode = code ?? 1;
});
