import type { Model } from '../models/model.ts';
import type { Program } from '../program/index.ts';
import type { AdamWSettings } from '../optim/adamw.ts';
import type { OptimizerConfig, RunConfig } from './config.ts';
import { randomDraw } from './draw.ts';
import { trainingStepProgram } from './step.ts';

/** The training step that a config describes. Its inputs are those of `trainingStepProgram`. */
export function runProgram(
  { seed, flow, optimizer, train }: Pick<RunConfig, 'seed' | 'flow' | 'optimizer' | 'train'>,
  model: Model,
): Program {
  return trainingStepProgram({
    model,
    batch: train.batchSize,
    draw: randomDraw({
      seed,
      times: flow.timeSampling,
      labelDropout: flow.labelDropout,
      conditions: model.conditions,
    }),
    weighting: flow.lossWeighting,
    decayed: optimizer.decayed,
    adamw: adamwSettings(optimizer),
    maxGradNorm: optimizer.clipNorm === 0 ? undefined : optimizer.clipNorm,
  });
}

export function adamwSettings({ betas, epsilon, weightDecay }: OptimizerConfig): AdamWSettings {
  return { beta1: betas[0], beta2: betas[1], epsilon, weightDecay };
}
