import type { VelocityModel } from '../models/model.ts';
import { furtherAverages } from '../optim/ema.ts';
import type { Program } from '../program/index.ts';
import type { OptimizerConfig } from './settings.ts';
import type { TrainingConfig } from './settings.ts';
import { adamwGroups } from '../optim/adamw.ts';
import type { ParameterGroup } from '../optim/optimizer.ts';
import { randomDraw } from './draw.ts';
import { type OwnFlow, objectiveOf, timesOf } from './objective.ts';
import { type TrainingStep, trainingStepProgram } from './step.ts';
import { velocityTask } from './velocity-task.ts';

/** What a step is made of. */
export type StepConfig = Pick<TrainingConfig, 'seed' | 'flow' | 'optimizer' | 'ema' | 'train' | 'sample'>;

/**
 * The training step that a config describes, of all its samples at once.
 * @param own what the config calls custom
 * @throws RectiflowError where that is missing
 */
export function stepOf(config: StepConfig, model: VelocityModel, own: OwnFlow = {}): TrainingStep {
  const { seed, flow, optimizer, ema, train } = config;
  const draw = randomDraw({
    seed,
    times: timesOf(flow, own),
    labelDropout: flow.labelDropout,
    conditions: model.conditions,
    globalBatch: train.batchSize,
  });
  return {
    task: velocityTask({ model, draw, objective: objectiveOf(config, own), coupling: flow.coupling }),
    batch: train.batchSize,
    memory: train.memory,
    lossScaling: train.precision === 'fp16',
    optimizers: optimizersOf(optimizer),
    averages: furtherAverages(ema).map(({ name }) => name),
    maxGradNorm: optimizer.clipNorm === 0 ? undefined : optimizer.clipNorm,
  };
}

/** That step as a program. Its inputs are those of `trainingStepProgram`. */
export function runProgram(config: StepConfig, model: VelocityModel, own: OwnFlow = {}): Program {
  return trainingStepProgram(stepOf(config, model, own));
}

/** What changes which parameters. */
export function optimizersOf({ betas, epsilon, weightDecay, decayed }: OptimizerConfig): ParameterGroup[] {
  return adamwGroups({ beta1: betas[0], beta2: betas[1], epsilon, weightDecay }, decayed);
}
