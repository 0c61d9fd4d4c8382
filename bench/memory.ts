// The memory of a training as it is estimated before, and as it was at its peak: npm run bench:memory
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { cpuBackend } from 'rectiflow';
import { type Memory, memoryCaseNames } from './memory-cases.ts';
import { digits, markdownTable, percent } from './table.ts';

const usage = `npm run bench:memory -- [CASE ...]

  CASE  ${memoryCaseNames.join(', ')}; all by default

Each case is trained for three steps with a checkpoint and a grid, in a process of its own.`;

const { positionals } = parseArgs({ allowPositionals: true });
const unknown = positionals.find((name) => !memoryCaseNames.includes(name));
if (unknown !== undefined) {
  console.error(`no case "${unknown}"\n\n${usage}`);
  process.exit(2);
}

const parts = ['process', 'state', 'activations', 'scratch', 'snapshot', 'data'] as const;
console.log(`${cpuBackend().describe()}\n`);
const child = new URL('memory-child.js', import.meta.url).pathname;
const rows = (positionals.length > 0 ? positionals : memoryCaseNames).map((name) => {
  const { title, estimate, peakBytes } = JSON.parse(
    execFileSync(process.execPath, [child, name], { encoding: 'utf8' }),
  ) as Memory;
  const { total } = estimate;
  const listed = parts.map((part) => estimate[part]);
  const sizes = [...listed, total, peakBytes].map((bytes) => digits(bytes / 2 ** 20));
  return [title, ...sizes, percent(total / peakBytes - 1)];
});
console.log(markdownTable(['MiB', ...parts, 'estimated', 'measured', 'off by'], rows).join('\n'));
