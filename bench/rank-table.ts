// What the teams of a case came to, as Markdown.
import {
  type Team,
  aloneOf,
  labelOf,
  leastTraffic,
  nameOf,
  rankComparisons,
  undividedOf,
} from './rank-matches.ts';
import type { Scores } from './scores.ts';
import { digits, markdownTable, percent, ratio } from './table.ts';

export interface Measured {
  readonly teams: readonly Team[];
  readonly scores: Scores<string>;
  /** Samples of a step, on all ranks. */
  readonly batchSize: number;
  /** Of the model. */
  readonly parameters: number;
  /** Of each rank. */
  readonly threads: number;
  /** Of the machine. */
  readonly cores: number;
}

const header = [
  '',
  'ms per step',
  'images/s',
  'efficiency',
  'of undivided',
  'a rank sends, MiB per step',
  'at least',
  'waits, ms per step',
  'memory of a process, MiB',
];

export function rankTable(measured: Measured): string[] {
  const { teams, scores, batchSize, parameters, threads, cores } = measured;
  const mebibytes = (bytes: number): string => digits(bytes / 2 ** 20);
  const rows = teams.map((team) => {
    const name = nameOf(team);
    const milliseconds = scores.milliseconds(name);
    const traffic = scores.traffic(name);
    return [
      labelOf(team, cores, threads),
      digits(milliseconds),
      digits((1000 * batchSize) / milliseconds),
      efficiency(scores, team, aloneOf(team)),
      team.by === 'pytorch' ? '' : efficiency(scores, team, undividedOf(team)),
      ...(team.ranks === 1
        ? ['', '', '']
        : [
            mebibytes(traffic?.bytes ?? NaN),
            mebibytes(leastTraffic(parameters, team.ranks)),
            digits(1000 * (traffic?.seconds ?? NaN)),
          ]),
      mebibytes(scores.peakBytes(name)),
    ];
  });
  return [...markdownTable(header, rows), ...compared(measured)];
}

/** What share of so many times one process it reaches. */
function efficiency(scores: Scores<string>, team: Team, one: Team): string {
  if (nameOf(team) === nameOf(one)) return percent(1);
  const speed = scores.speed([nameOf(team), nameOf(one)]);
  return speed ? percent(speed.median / team.ranks) : 'n/a';
}

function compared({ teams, scores, cores, threads }: Measured): string[] {
  const labels = new Map(teams.map((team) => [nameOf(team), labelOf(team, cores, threads)]));
  const rows = rankComparisons(teams).flatMap((pair) => {
    const speed = scores.speed(pair);
    return speed ? [[pair.map((name) => labels.get(name)).join(' / '), ratio(speed)]] : [];
  });
  return rows.length === 0 ? [] : ['', ...markdownTable(['a / b', 'times as fast'], rows)];
}
