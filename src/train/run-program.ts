import type { Model } from '../models/model.ts';
import type { Program } from '../program/index.ts';
import type { RunConfig } from './config.ts';
import { randomDraw } from './draw.ts';
import { type OwnFlow, objectiveOf, timesOf } from './objective.ts';
import { trainingStepProgram } from './step.ts';

type ProgramConfig = Pick<RunConfig, 'seed' | 'flow' | 'optimizer' | 'train' | 'sample'>;

/**
 * The training step that a config describes. Its inputs are those of `trainingStepProgram`.
 * @param own what the config calls custom
 * @throws RectiflowError where that is missing
 */
export function runProgram(config: ProgramConfig, model: Model, own: OwnFlow = {}): Program {
  const { seed, flow, optimizer, train } = config;
  const { betas, epsilon, weightDecay, clipNorm } = optimizer;
  return trainingStepProgram({
    model,
    batch: train.batchSize,
    draw: randomDraw({
      seed,
      times: timesOf(flow, own),
      labelDropout: flow.labelDropout,
      conditions: model.conditions,
    }),
    objective: objectiveOf(config, own),
    decayed: optimizer.decayed,
    adamw: { beta1: betas[0], beta2: betas[1], epsilon, weightDecay },
    maxGradNorm: clipNorm === 0 ? undefined : clipNorm,
  });
}
