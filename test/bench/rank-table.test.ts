import { expect, it } from 'vitest';
import { type Team, nameOf, rankMatches } from '../../bench/rank-matches.ts';
import { rankTable } from '../../bench/rank-table.ts';
import { Scores } from '../../bench/scores.ts';

const teams = rankMatches({ precision: 'fp32', ranks: [1, 2], peer: true, mpi: true });
const everyone = [...new Map(teams.flat().map((team) => [nameOf(team), team])).values()];

function scoresOf(milliseconds: (team: Team) => number): Scores<string> {
  const scores = new Scores<string>();
  for (const match of teams)
    scores.add(
      new Map(
        match.map((team) => {
          const traffic = team.by === 'rectiflow' ? { bytes: 6 * 2 ** 20, seconds: 0.02 } : { seconds: 0.04 };
          const ms = milliseconds(team);
          const turn = { milliseconds: [ms, ms], peakBytes: 2 ** 28, ...(team.ranks > 1 && { traffic }) };
          return [nameOf(team), [turn]];
        }),
      ),
    );
  return scores;
}

it('the table of ranks has what each team reaches of one process, and what it exchanges', () => {
  const scores = scoresOf(
    ({ by, ranks, shards }) => (by === 'pytorch' ? 200 : shards === 1 ? 80 : 100) / ranks,
  );
  const table = rankTable({
    teams: everyone,
    scores,
    batchSize: 16,
    parameters: 2 ** 19,
    threads: 1,
    cores: 2,
  });
  const cells = table.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  const row = (label: string): string[] => cells.find(([first]) => first === label)!.slice(1);
  expect(row('rectiflow, 1 process, undivided')).toEqual(['80', '200', '100%', '100%', '', '', '', '256']);
  expect(row('rectiflow, 1 process, 8 shards')).toEqual(['100', '160', '100%', '80%', '', '', '', '256']);
  expect(row('rectiflow, 2 ranks, 8 shards')).toEqual(['50', '320', '100%', '80%', '3', '2', '10', '256']);
  expect(row('PyTorch DDP, 2 ranks')).toEqual(['100', '160', '100%', '', 'n/a', '2', '20', '256']);
  expect(row('rectiflow, 2 ranks, 8 shards / PyTorch DDP, 2 ranks')).toEqual(['2.00 (2.00–2.00)']);
});

it('where there is no one process to compare with, there is no efficiency', () => {
  const [two] = everyone.filter(({ by, ranks }) => by === 'pytorch' && ranks === 2);
  const scores = new Scores<string>();
  scores.add(new Map([[nameOf(two!), [{ milliseconds: [100], peakBytes: 0 }]]]));
  const [, , line] = rankTable({ teams: [two!], scores, batchSize: 4, parameters: 1, threads: 1, cores: 2 });
  expect(line).toMatch(/\| +100 \| +40 \| +n\/a \|/);
});
