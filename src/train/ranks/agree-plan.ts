import { RectiflowError } from '../../tensor/errors.ts';
import { type Communicator, nameOfRank } from './communicator.ts';
import { type TrainingPlan, describeLimits } from '../plan-training.ts';
import { together } from './share-out.ts';

export interface AgreedPlan {
  readonly plan: TrainingPlan;
  /** What to tell of the memory of the machines. */
  readonly limits: readonly string[];
}

/**
 * The plan of all ranks: the smallest micro-batch that one has room for, as sums are the same only where all divide their samples alike; and
 * no copy for checkpoints where one has no room for that. All ranks call it.
 * @param make of this rank alone
 * @throws RectiflowError as `make` does, on all ranks, naming the one whose memory it is
 */
export async function agreePlan(
  communicator: Communicator | undefined,
  make: () => TrainingPlan,
): Promise<AgreedPlan> {
  if (communicator === undefined) {
    const plan = make();
    return { plan, limits: describeLimits(plan) };
  }
  const { rank } = communicator;
  const own = await together(communicator, async () => {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof RectiflowError) || error.code !== 'memory') throw error;
      throw new RectiflowError('memory', `${nameOfRank(communicator, rank)}: ${error.message}`);
    }
  });
  const { microBatch, savesBeside } = own;
  const all = await communicator.gatherJson({ microBatch, savesBeside, limits: describeLimits(own) });
  const plan = {
    ...own,
    microBatch: Math.min(...all.map((each) => each.microBatch)),
    savesBeside: all.every((each) => each.savesBeside),
  };
  return { plan, limits: limitsOf(communicator, all) };
}

/** Ranks of a machine have the same to say of it. */
function limitsOf(
  communicator: Communicator,
  all: readonly { readonly limits: readonly string[] }[],
): string[] {
  const { hosts } = communicator;
  return all.flatMap(({ limits }, rank) => {
    const isSaid = all.some((each, other) => {
      return other < rank && hosts[other] === hosts[rank] && each.limits.length > 0;
    });
    return isSaid ? [] : limits.map((limit) => `${nameOfRank(communicator, rank)}: ${limit}`);
  });
}
