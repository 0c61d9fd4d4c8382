// What plans say beside what the same runs then take: npm run bench:plan
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { cpuBackend, getData } from 'rectiflow';
import { type Taken, isThere, planCase, planCaseNames } from './plan-cases.ts';
import { digits, markdownTable } from './table.ts';

const usage = `npm run bench:plan -- [CASE ...]

  CASE  ${planCaseNames.join(', ')}; all by default

Each case is planned in a process of its own, then trained in another.`;

const { positionals } = parseArgs({ allowPositionals: true });
const unknown = positionals.find((name) => !planCaseNames.includes(name));
if (unknown !== undefined) {
  console.error(`no case "${unknown}"\n\n${usage}`);
  process.exit(2);
}

const parts = [
  { title: 'ms a step', of: ({ step }: Taken) => 1000 * step },
  { title: 's in all', of: ({ total }: Taken) => total },
  { title: 'MiB of memory', of: ({ memory }: Taken) => memory / 2 ** 20 },
  { title: 'MiB of disk', of: ({ disk }: Taken) => disk / 2 ** 20 },
];

console.log(`${cpuBackend().describe()}\n`);
await getData('emoji');
const child = new URL('plan-child.js', import.meta.url).pathname;
const measured = (name: string, what: 'plan' | 'train'): Taken => {
  console.error(`${name}: ${what}`);
  return JSON.parse(execFileSync(process.execPath, [child, name, what], { encoding: 'utf8' })) as Taken;
};
const rows = (positionals.length > 0 ? positionals : planCaseNames).flatMap((name) => {
  const each = planCase(name);
  if (!isThere(each)) {
    console.error(`${name}: left out, as ${each.needs} is not there`);
    return [];
  }
  const [said, took] = [measured(name, 'plan'), measured(name, 'train')];
  const cells = parts.map(({ of }) => {
    const off = 100 * (of(said) / of(took) - 1);
    return `${digits(of(said))} / ${digits(of(took))} (${off < 0 ? '' : '+'}${off.toFixed(1)} %)`;
  });
  return [[each.title, said.by!, ...cells]];
});
const header = ['planned / measured', 'timed', ...parts.map(({ title }) => title)];
console.log(markdownTable(header, rows, 2).join('\n'));
