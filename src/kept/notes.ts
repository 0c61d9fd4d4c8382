// What the checkpoints of a run tell beside what training knows, so that the command line knows it when it goes on.
import type { Source } from '../data/source.ts';
import { type DataRecord, describeData, toldTo } from '../train/data-record.ts';
import { describeKernels } from '../train/kernels.ts';
import type { PreparedTraining, TrainingNotes } from '../train/prepare.ts';
import type { KeptConfig } from './config.ts';

/** What a checkpoint says of its weights' past, which the next one says again. */
const PAST = ['imported', 'begunFrom'] as const;

/** What of a training is told. */
export type NotedTraining = Pick<
  PreparedTraining<KeptConfig>,
  'config' | 'backend' | 'checkpoint' | 'conditioning'
>;

/**
 * @param training as `assembleTraining` makes it, which is to train with them: `{ ...training, notes }`
 * @param source the data as a whole, those held out among them
 */
export async function keptNotes(
  { config, backend, checkpoint, conditioning }: NotedTraining,
  source: Source,
): Promise<TrainingNotes> {
  const { count } = config.heldOut;
  const described = await describeData(source, toldTo(config.model));
  const { learnt } = conditioning;
  const data: DataRecord = {
    ...described,
    ...(count > 0 && { heldOut: count }),
    ...(learnt && { tokenizer: learnt }),
  };
  const before = checkpoint?.state ?? {};
  const nullTrained = config.flow.labelDropout > 0 || (checkpoint ? before['nullTrained'] : false);
  const past = PAST.filter((name) => before[name] !== undefined).map((name) => [name, before[name]]);
  return {
    state: {
      data,
      trainedWith: { config, kernels: describeKernels(backend) },
      ...(nullTrained !== undefined && { nullTrained }),
      ...Object.fromEntries(past),
    },
    metadata: { data: JSON.stringify(data) },
  };
}
