import { isAutoencoder } from '../models/autoencoder-model.ts';
import { type SampleModel, isVelocity } from '../models/model.ts';
import { furtherAverages } from '../optim/ema.ts';
import type { Program } from '../program/index.ts';
import { internalError } from '../tensor/errors.ts';
import type { OptimizerConfig } from './settings.ts';
import type { TrainingConfig } from './settings.ts';
import { adamwGroups } from '../optim/adamw.ts';
import type { ParameterGroup } from '../optim/optimizer.ts';
import { autoencoderRun } from './autoencoder-run.ts';
import type { OwnFlow } from './objective.ts';
import type { RunTask } from './run-task.ts';
import { type TrainingStep, trainingStepProgram } from './step.ts';
import { velocityRun } from './velocity-run.ts';

type RunTaskConfig = Pick<TrainingConfig, 'seed' | 'flow' | 'train' | 'sample' | 'loader'>;
/** What a step is made of. */
export type StepConfig = RunTaskConfig & Pick<TrainingConfig, 'optimizer' | 'ema'>;

/**
 * What a run of a model does: the one place that asks what it learns.
 * @param own what the config calls custom
 * @throws RectiflowError where that is missing
 */
export function runTaskOf(config: RunTaskConfig, model: SampleModel, own: OwnFlow = {}): RunTask {
  if (isVelocity(model)) return velocityRun(config, model, own);
  if (isAutoencoder(model)) return autoencoderRun(config, model);
  throw internalError('a model that is neither a velocity nor an autoencoder has no task');
}

/**
 * The training step that a config describes, of all its samples at once.
 * @throws RectiflowError as `runTaskOf` does
 */
export function stepOf(config: StepConfig, model: SampleModel, own: OwnFlow = {}): TrainingStep {
  const { optimizer, ema, train } = config;
  return {
    task: runTaskOf(config, model, own).step,
    batch: train.batchSize,
    shards: train.shards,
    memory: train.memory,
    lossScaling: train.precision === 'fp16',
    optimizers: optimizersOf(optimizer),
    averages: furtherAverages(ema).map(({ name }) => name),
    maxGradNorm: optimizer.clipNorm === 0 ? undefined : optimizer.clipNorm,
  };
}

/** That step as a program. Its inputs are those of `trainingStepProgram`. */
export function runProgram(config: StepConfig, model: SampleModel, own: OwnFlow = {}): Program {
  return trainingStepProgram(stepOf(config, model, own));
}

/** What changes which parameters. */
export function optimizersOf({ betas, epsilon, weightDecay, decayed }: OptimizerConfig): ParameterGroup[] {
  return adamwGroups({ beta1: betas[0], beta2: betas[1], epsilon, weightDecay }, decayed);
}
