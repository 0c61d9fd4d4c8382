// Work that all ranks do together, whenever rank 0 does it: rank 0 alone hears how long a turn lasts.
import type { Communicator } from 'rectiflow';

const topic = 'bench/goes-on';

/** @returns the work of rank 0, which begins with telling the others to do theirs */
export function led(
  { ranks, send }: Pick<Communicator, 'ranks' | 'send'>,
  run: () => Promise<void>,
): () => Promise<void> {
  return () => {
    for (let other = 1; other < ranks; other++) send(other, topic, true);
    return run();
  };
}

/** Lets the others go. */
export function release({ ranks, send }: Pick<Communicator, 'ranks' | 'send'>): void {
  for (let other = 1; other < ranks; other++) send(other, topic, false);
}

/** Does the work whenever rank 0 does, until it lets go. */
export async function follow(
  { onMessage }: Pick<Communicator, 'onMessage'>,
  run: () => Promise<void>,
): Promise<void> {
  let last = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    onMessage(topic, (goesOn) => {
      if (goesOn === true) last = last.then(run);
      else resolve();
      last.catch(reject);
    });
  });
  await last;
}
