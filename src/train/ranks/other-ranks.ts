import type { OtherReaders, SkippedSample } from '../../data/other-readers.ts';
import type { Communicator } from './communicator.ts';

/**
 * The ranks that read the same set: the first keeps count of the samples that all of them leave out.
 * @param set that they read; one reader of a rank at a time
 */
export function otherRanks(communicator: Communicator | undefined, set: string): OtherReaders | undefined {
  if (communicator === undefined) return undefined;
  const { rank, ranks: readers } = communicator;
  const topic = `skipped/${set}`;
  if (rank > 0) return { readers, tell: (skipped) => communicator.send(0, topic, skipped) };
  return {
    readers,
    listen: (heard) => communicator.onMessage(topic, (message) => heard(message as SkippedSample)),
  };
}
