// What must be alike on all ranks: numbers that are added up over different models or data mean nothing.
import { RectiflowError } from '../../tensor/errors.ts';
import { type Communicator, nameOfRank } from './communicator.ts';

/** What a rank has, by what it is called: `train.batchSize`. */
export type Facts = Readonly<Record<string, string>>;

/** Of the ranks that differ. */
const mostShown = 3;

/**
 * Compares the facts of all ranks. All ranks call it, and it throws on all of them alike.
 * @param advice what to do where they differ, as a sentence
 * @throws RectiflowError naming the first fact that differs, and which ranks have something else than rank 0
 */
export async function checkAlike(communicator: Communicator, facts: Facts, advice: string): Promise<void> {
  const all = await communicator.gatherJson(facts);
  const names = new Set(all.flatMap((each) => Object.keys(each)));
  for (const name of names) {
    const wanted = all[0]![name];
    const others = all.flatMap((each, rank) => (each[name] === wanted ? [] : [rank]));
    if (others.length === 0) continue;
    const tell = (rank: number): string =>
      `${nameOfRank(communicator, rank)} has ${all[rank]![name] ?? 'nothing'}`;
    const more = others.length > mostShown ? `, and ${others.length - mostShown} more ranks differ` : '';
    throw new RectiflowError(
      'run',
      `the ranks differ in ${name}: ${tell(0)}, ${others.slice(0, mostShown).map(tell).join(', ')}${more}. ${advice}.`,
    );
  }
}
