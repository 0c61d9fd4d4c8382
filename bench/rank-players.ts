// Starts the processes of a team.
import { fileURLToPath } from 'node:url';
import { Contestant } from './contestant.ts';
import type { Player } from './match.ts';
import type { Mpi } from './mpi.ts';
import { type Peer, peerScript } from './peer.ts';
import { peerStep } from './peer-model.ts';
import { rankCase } from './rank-cases.ts';
import { type Team, nameOf } from './rank-matches.ts';
import type { RankSpecification } from './ranks-child.ts';

export interface RankSetting {
  /** Of the case. */
  readonly name: string;
  /** Of each rank. */
  readonly threads: number;
  readonly peer: Peer | undefined;
  readonly mpi: Mpi | undefined;
}

export function rankPlayer(team: Team, setting: RankSetting): Player<string> {
  return {
    name: nameOf(team),
    start: () => (team.by === 'rectiflow' ? startOurs(team, setting) : startPeer(team, setting)),
  };
}

function startOurs(
  { ranks, shards, precision }: Team,
  { name, threads, mpi }: RankSetting,
): Promise<Contestant> {
  const specification: RankSpecification = { name, ranks, shards, options: { precision, threads } };
  const script = fileURLToPath(new URL('ranks-child.js', import.meta.url));
  const args = [script, JSON.stringify(specification)];
  return ranks > 1 ? mpi!.start(ranks, process.execPath, args) : Contestant.start(process.execPath, args);
}

function startPeer(
  { ranks, shards, precision }: Team,
  { name, threads, peer }: RankSetting,
): Promise<Contestant> {
  const { config } = rankCase(name, shards);
  const specification = { ...peerStep(config), ranks, precision, threads };
  return Contestant.start(peer!.python, [
    peerScript(ranks > 1 ? 'ranks' : 'step'),
    JSON.stringify(specification),
  ]);
}
