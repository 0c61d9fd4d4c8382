// Images per second that the loader reads, beside PyTorch's and beside what a step takes: npm run bench:loader
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Contestant } from './contestant.ts';
import type { LoaderSpecification } from './loader-child.ts';
import { type LoaderSet, makeSets, setNames } from './loader-sets.ts';
import { measureSteps } from './loader-steps.ts';
import { type Player, playMatch } from './match.ts';
import { type Options, readOptions } from './options.ts';
import { type Peer, findPeer, peerScript } from './peer.ts';
import { Scores } from './scores.ts';
import { digits, markdownTable, ratio } from './table.ts';

const usage = `npm run bench:loader -- [SET ...] [--rounds N] [--python PATH] [--quick]

  SET         ${setNames.join(', ')}, steps (what training takes); all by default
  --rounds    turns of each side (7)
  --python    an interpreter with PyTorch and Pillow, in place of one in build/bench-venv
  --quick     two rounds on fewer files, few steps`;

const batch = 64;
const batches = 8;
/** Beside the default of 4, which is how many files libuv reads or decodes at a time. */
const ours = { workers: 4, 'one worker': 1 } as const;
const theirs = { 'PyTorch, 2 workers': 2, 'PyTorch, in the process': 0 } as const;

type Name = keyof typeof labels;
const labels = {
  workers: 'rectiflow',
  'one worker': 'rectiflow, 1 worker',
  'PyTorch, 2 workers': 'PyTorch, 2 workers',
  'PyTorch, in the process': 'PyTorch, in the process',
};

const names = [...setNames, 'steps'] as const;
const options = readOptions({ usage, names, rounds: 7, quickRounds: 2 });
const peer = findPeer(options.python);
const folder = await mkdtemp(join(tmpdir(), 'rectiflow-bench-'));
try {
  console.error('Making files ...');
  const sets = await makeSets(folder, options.quick ? 512 : 2048);
  const chosen = setNames.filter((name) => options.names.includes(name));
  for (const name of chosen) console.log(`${(await measureSet(name, sets[name], options)).join('\n')}\n`);
  if (options.names.includes('steps')) {
    const { photographs, array } = sets;
    console.log(`${(await measureSteps(folder, [photographs, array], options.quick ? 1 : 3)).join('\n')}\n`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function measureSet(
  name: string,
  set: LoaderSet,
  { rounds, quick }: Pick<Options, 'rounds' | 'quick'>,
): Promise<string[]> {
  const rules = { title: name, rounds, seconds: quick ? 0.5 : 2 };
  const scores = new Scores<Name>();
  scores.add(await playMatch(players(set, peer), rules));
  const rows = scores.names().map((player) => {
    const speed = player === 'workers' ? undefined : scores.speed(['workers', player]);
    const rate = (1000 * batch * batches) / scores.milliseconds(player);
    return [labels[player], digits(rate), speed ? ratio(speed) : ''];
  });
  const header = ['', 'images/s', 'rectiflow is so many times as fast'];
  return [`**${name}**: ${set.title}`, '', ...markdownTable(header, rows)];
}

function players({ data, peer: told }: LoaderSet, beside: Peer | undefined): Player<Name>[] {
  const script = fileURLToPath(new URL('loader-child.js', import.meta.url));
  const mine = (Object.keys(ours) as (keyof typeof ours)[]).map((name) => {
    const specification: LoaderSpecification = { data, batch, batches, workers: ours[name] };
    const args = [script, JSON.stringify(specification)];
    return { name, start: () => Contestant.start(process.execPath, args) };
  });
  if (beside === undefined || told === undefined) return mine;
  const others = (Object.keys(theirs) as (keyof typeof theirs)[]).map((name) => {
    const specification = { ...told, batch, batches, workers: theirs[name] };
    const args = [peerScript('loader'), JSON.stringify(specification)];
    return { name, start: () => Contestant.start(beside.python, args) };
  });
  return [...mine, ...others];
}
