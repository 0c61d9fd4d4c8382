// A rank that runs rectiflow's training step of a case, or the only process that does: ranks-child.js SPECIFICATION
import { type CpuOptions, type MpiCommunicator, connectRanks, findLaunch } from 'rectiflow';
import { serve } from './contestant.ts';
import { follow, led, release } from './led.ts';
import { rankCase } from './rank-cases.ts';
import { prepareShare } from './training-share.ts';

/** What a process is told, as JSON. */
export interface RankSpecification {
  readonly name: string;
  /** More than one are started by MPI. */
  readonly ranks: number;
  readonly shards: number;
  readonly options: CpuOptions;
}

const specification = JSON.parse(process.argv[2]!) as RankSpecification;
const communicator = specification.ranks > 1 ? await connectRanks(findLaunch()!) : undefined;
try {
  await takePart(specification, communicator);
} catch (error) {
  console.error(error);
  communicator?.fail((error as Error).message);
  process.exitCode = 1;
}
await communicator?.close();

async function takePart(
  { name, shards, options }: RankSpecification,
  others: MpiCommunicator | undefined,
): Promise<void> {
  const { parameters, step, run, waited } = await prepareShare(
    rankCase(name, shards).config,
    options,
    others,
  );
  if (others && others.rank > 0) return follow(others, run);
  const together = others ? led(others, run) : run;
  await serve(
    {
      warmUp: together,
      run: together,
      ...(others && { traffic: () => ({ bytes: others.traffic().bytes, seconds: waited() }) }),
    },
    async () => ({ parameters, loss: (await step.read(['loss'])).loss[0]! }),
  );
  if (others) release(others);
}
