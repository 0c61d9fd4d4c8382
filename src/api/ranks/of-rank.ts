import type { RunOptions } from '../parts.ts';

/** What one rank is to do: rank 0 tells what there is to tell, and the others are silent. One that is alone has nobody to meet. */
export function ofRank<Options extends RunOptions>(options: Options): Options {
  const { communicator } = options;
  if (communicator === undefined) return options;
  if (communicator.ranks === 1) return { ...options, communicator: undefined };
  if (communicator.rank === 0) return options;
  const silent = {
    onPlan: undefined,
    onStart: undefined,
    onStep: undefined,
    onSamples: undefined,
    onCheckpoint: undefined,
    onNotice: undefined,
    sinks: undefined,
  };
  return { ...options, ...silent };
}
