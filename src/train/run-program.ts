import type { Model } from '../models/model.ts';
import { furtherAverages } from '../optim/ema.ts';
import type { Program } from '../program/index.ts';
import type { RunConfig } from './config.ts';
import { randomDraw } from './draw.ts';
import { trainingStepProgram } from './step.ts';

/** The training step that a config describes. Its inputs are those of `trainingStepProgram`. */
export function runProgram(
  { seed, flow, optimizer, ema, train }: Pick<RunConfig, 'seed' | 'flow' | 'optimizer' | 'ema' | 'train'>,
  model: Model,
): Program {
  const { betas, epsilon, weightDecay, clipNorm } = optimizer;
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
    adamw: { beta1: betas[0], beta2: betas[1], epsilon, weightDecay },
    maxGradNorm: clipNorm === 0 ? undefined : clipNorm,
    averages: furtherAverages(ema).map(({ name }) => name),
  });
}
