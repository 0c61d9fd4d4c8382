// Training steps of several processes, ours and those of PyTorch DDP, in turns on the same machine: npm run bench:ranks
import { availableParallelism } from 'node:os';
import { countParameters, cpuBackend, createModel } from 'rectiflow';
import type { Case } from './cases.ts';
import { playMatch } from './match.ts';
import { findMpi } from './mpi.ts';
import { readOptions } from './options.ts';
import { findPeer } from './peer.ts';
import { rankCase, rankCaseNames } from './rank-cases.ts';
import { type Precision, type Team, nameOf, precisions, rankMatches } from './rank-matches.ts';
import { rankPlayer } from './rank-players.ts';
import { rankTable } from './rank-table.ts';
import { Scores } from './scores.ts';

const usage = `npm run bench:ranks -- [CASE ...] [--ranks N,M] [--rounds N] [--threads N] [--python PATH] [--variants A,B] [--quick]

  CASE        ${rankCaseNames.join(', ')}; s-256 by default
  --ranks     how many processes train together, each time (1,2,4)
  --rounds    turns of each side (3)
  --threads   of each rank, of both sides (1)
  --python    an interpreter with PyTorch, in place of one in build/bench-venv
  --variants  only these precisions: ${precisions.join(', ')}
  --quick     one short round`;

const { names, ranks, rounds, threads, python, variants, quick } = readOptions({
  usage,
  names: rankCaseNames,
  defaultNames: ['s-256'],
  variants: precisions,
  rounds: 3,
  quickRounds: 1,
  threads: 1,
});
const cases = new Map(names.map((name) => [name, rankCase(name, 1)]));
for (const [name, { config }] of cases) {
  const { batchSize } = config.train;
  const uneven = ranks.find((count) => batchSize % count !== 0);
  if (uneven === undefined) continue;
  console.error(`--ranks: ${uneven} ranks cannot share out the ${batchSize} samples of a step of ${name}`);
  process.exit(2);
}
const cores = availableParallelism();
const peer = findPeer(python);
const mpi = ranks.some((count) => count > 1) ? findMpi() : undefined;
const machine = cpuBackend({ threads, precision: 'bf16' }).describe();
const sides = [peer ? `PyTorch ${peer.version}` : 'no PyTorch', mpi?.version ?? 'no MPI'];
console.log(`${[machine, ...sides].join('; ')}; ${cores} cores\n`);
for (const [name, each] of cases)
  for (const precision of precisions)
    if (variants?.includes(precision) ?? true)
      console.log(`${(await measure(name, each, precision)).join('\n')}\n`);

async function measure(name: string, { title, config }: Case, precision: Precision): Promise<string[]> {
  const matches = rankMatches({ precision, ranks, peer: peer !== undefined, mpi: mpi !== undefined });
  const scores = new Scores<string>();
  for (const match of matches) {
    const players = match.map((team) => rankPlayer(team, { name, threads, peer, mpi }));
    const rules = { title: `${name} ${precision}`, rounds, seconds: quick ? 0.3 : 1 };
    scores.add(await playMatch(players, rules));
  }
  const teams = new Map<string, Team>(matches.flat().map((team) => [nameOf(team), team]));
  const inOrder = [...teams.values()].toSorted(
    (a, b) => b.by.localeCompare(a.by) || a.ranks - b.ranks || a.shards - b.shards,
  );
  return [
    `**${name}, ${precision}**: ${title}`,
    '',
    ...rankTable({
      teams: inOrder,
      scores,
      batchSize: config.train.batchSize,
      parameters: countParameters(createModel(config.model)),
      threads,
      cores,
    }),
  ];
}
