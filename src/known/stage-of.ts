// Of a run of stages: which of them a checkpoint is of.
import { join } from 'node:path';
import { z } from 'zod';
import type { RunConfig } from '../config/config.ts';
import { configOfStage } from '../config/stages.ts';
import type { StoredCheckpoint } from '../train/run-store.ts';
import { runError } from '../tensor/errors.ts';
import { issueError } from './state-error.ts';

type Saved = Pick<StoredCheckpoint, 'path' | 'step' | 'state'>;

const schema = z.number().int().nonnegative().optional();

/** From 0; 0 for a run without stages. @throws RectiflowError when the checkpoint's state is none */
export function stageOf({ path, state }: Saved): number {
  const parsed = schema.safeParse(state['stage']);
  if (parsed.success) return parsed.data ?? 0;
  throw issueError(path, 'state.stage', parsed.error);
}

/** The config that a checkpoint's weights are of: that of its stage. */
export function configAt(config: RunConfig, saved: Saved): RunConfig {
  return configOfStage(config, stageOf(saved));
}

/** The last step of each stage; that of the run where it has none. */
export function stageEnds({ stages, train }: Pick<RunConfig, 'stages' | 'train'>): readonly number[] {
  if (stages.length === 0) return [train.steps];
  let end = 0;
  return stages.map(({ steps }) => (end += steps));
}

/**
 * The stage that a run goes on with: the one after, where that of the checkpoint has ended.
 * @param run its folder
 * @throws RectiflowError where config and checkpoint are of other stages
 */
export function nextStage(run: string, config: RunConfig, saved: Saved | undefined): number {
  if (saved === undefined || config.stages.length === 0) return 0;
  const stage = stageOf(saved);
  const ends = stageEnds(config);
  const [after = 0, until] = [stage === 0 ? 0 : ends[stage - 1], ends[stage]];
  if (until === undefined || saved.step < after || saved.step > until) {
    const found = until === undefined ? 'it has no such stage' : `that has steps ${after + 1} to ${until}`;
    const problem = `${saved.path} is of stage ${stage + 1}, and by ${join(run, 'config.json')} ${found}`;
    throw runError(run, problem, 'Has the config been edited? Undo it, but for stages that are yet to come');
  }
  return saved.step === until && stage < ends.length - 1 ? stage + 1 : stage;
}
