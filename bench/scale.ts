// What plans say of ranks beside what ranks take, in the memory of this machine and over networks that its kernel slows down:
// npm run bench:scale
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cpuBackend, measureCopying } from 'rectiflow';
import { Contestant } from './contestant.ts';
import { commandOnHosts, whyNoHosts } from './hosts-command.ts';
import { type Player, playMatch } from './match.ts';
import type { RankSpecification } from './ranks-child.ts';
import { type ScaleCase, scaleCases, shards, titleOf } from './scale-cases.ts';
import { type Machine, type Measured, type Result, fitConstants, predict } from './scale-model.ts';
import { median } from './statistics.ts';
import { digits, markdownTable } from './table.ts';

const usage = `npm run bench:scale -- [--only TEXT] [--rounds N] [--seconds N] [--fit] [--file PATH]

  --only     cases whose title has this text
  --rounds   turns of one process and of ranks, each time (3)
  --seconds  of a turn, at least (1)
  --fit      also says which constants the plan should have
  --file     keeps what is measured, and measures no more where it is there`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '1' },
    fit: { type: 'boolean', default: false },
    file: { type: 'string' },
  },
});
const chosen = scaleCases.filter((each) => titleOf(each).includes(values.only));
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
if (chosen.length === 0 || !(Number.isInteger(rounds) && rounds >= 1) || !(seconds > 0)) {
  console.error(usage);
  process.exit(2);
}
const { file } = values;
const kept = file !== undefined && existsSync(file);
const reason = kept ? undefined : whyNoHosts();
if (reason !== undefined) {
  console.error(reason);
  process.exit(2);
}

interface Measurement {
  readonly machine: Machine;
  readonly results: readonly Result[];
}

const { machine, results } = kept
  ? (JSON.parse(readFileSync(file, 'utf8')) as Measurement)
  : await measureAll();
console.log(
  `${cpuBackend({ threads: 1, precision: 'bf16' }).describe()}, ${machine.cores} cores, copies ${digits(machine.copying / 1e9)} GB/s\n`,
);
for (const [title, isFitted] of [
  ['fitted', true],
  ['held out', false],
] as const)
  printTable(
    title,
    results.filter(({ of }) => of.isFitted === isFitted),
  );
if (values.fit)
  console.log(
    JSON.stringify(
      fitConstants(
        results.filter(({ of }) => of.isFitted),
        machine,
      ),
    ),
  );

async function measureAll(): Promise<Measurement> {
  const [load] = loadavg();
  console.error(`load before: ${digits(load!)}`);
  const here = { cores: availableParallelism(), copying: measureCopying() };
  const measured: Result[] = [];
  for (const of of chosen) {
    measured.push({ of, measured: await measure(of) });
    if (file !== undefined) writeFileSync(file, JSON.stringify({ machine: here, results: measured }));
  }
  return { machine: here, results: measured };
}

async function measure(of: ScaleCase): Promise<Measured> {
  const players = [1, of.ranks].map((ranks): Player<string> => ({
    name: ranks === 1 ? 'alone' : 'together',
    start: () => start(of, ranks),
  }));
  const turns = await playMatch(players, { title: titleOf(of), rounds, seconds });
  // Ranks wait for each other: what disturbs one of them disturbs all. The fastest run is the one that was disturbed least.
  const inSeconds = (name: string): number =>
    Math.min(...turns.get(name)!.flatMap(({ milliseconds }) => milliseconds)) / 1000;
  const exchanging = turns
    .get('together')!
    .map(({ traffic, milliseconds }) => traffic!.seconds / milliseconds.length);
  return { alone: inSeconds('alone'), together: inSeconds('together'), exchanging: median(exchanging) };
}

function start({ model, link }: ScaleCase, ranks: number): Promise<Contestant> {
  const options = { precision: 'bf16', threads: 1 } as const;
  const specification: RankSpecification = { name: model, ranks, shards, options };
  const script = fileURLToPath(new URL('ranks-child.js', import.meta.url));
  const command = [process.execPath, script, JSON.stringify(specification)] as const;
  const [program, ...args] = ranks === 1 ? command : commandOnHosts({ ranks, link }, command);
  return Contestant.start(program, args);
}

function printTable(title: string, of: readonly Result[]): void {
  if (of.length === 0) return;
  const errors: number[] = [];
  const rows = of.map((result) => {
    const { measured } = result;
    const { total, communication } = predict(result.of, measured, machine);
    const error = total / measured.together - 1;
    errors.push(Math.abs(error));
    return [
      titleOf(result.of),
      digits(1000 * measured.alone),
      digits(1000 * measured.exchanging),
      digits(1000 * communication),
      digits(1000 * measured.together),
      digits(1000 * total),
      `${error < 0 ? '' : '+'}${(100 * error).toFixed(1)} %`,
    ];
  });
  const header = [title, 'one process, ms', 'exchanging, ms', 'planned', 'a step, ms', 'planned', 'off by'];
  const near = errors.filter((error) => error <= 0.1).length;
  console.log(`${markdownTable(header, rows).join('\n')}\n\n${near} of ${errors.length} within 10 %\n`);
}
