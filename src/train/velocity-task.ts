import { type Network, type Objective, meanLoss } from '../flow/objective.ts';
import { rectifiedFlow } from '../flow/rectified-flow.ts';
import type { VelocityModel } from '../models/model.ts';
import type { Draw } from './draw.ts';
import type { FlowConfig } from './settings.ts';
import type { Task } from './task.ts';

export interface VelocityTask {
  readonly model: VelocityModel;
  /** Where noise, times and dropped conditions come from. */
  readonly draw: Draw;
  /** Which noise samples are mixed with: with pairs there is one more input, x1, of the shape of x0. Independent by default. */
  readonly coupling?: FlowConfig['coupling'] | undefined;
  /** What the model learns to say; rectified flow by default. */
  readonly objective?: Objective | undefined;
}

/**
 * Learning a velocity. Inputs: x0 [B, ...sampleShape], the model's conditions, [B, ...] each, and those of the draw. Beside their
 * losses the samples' times are told.
 */
export function velocityTask({
  model,
  draw,
  objective = rectifiedFlow(),
  coupling = 'independent',
}: VelocityTask): Task {
  const given = coupling === 'pairs' ? ['x0', 'x1'] : ['x0'];
  return {
    module: model,
    sampleShape: model.sampleShape,
    inputs: (shape) => [
      ...given.map((name) => ({ name, shape, dtype: 'float32' as const })),
      ...model.conditions,
    ],
    loss(_graph, params, { inputs, step, firstSample, sampleWeights }) {
      const { x0, x1: noise, ...told } = inputs;
      const { x1, t: drawn, conditions } = draw({ x0: x0!, x1: noise, conditions: told, step, firstSample });
      const t = objective.times?.(drawn) ?? drawn;
      const network: Network = (xt, time) => model.velocity(params, xt, time, conditions);
      const { losses, ...means } = meanLoss(objective, network, { x0: x0!, x1, t }, sampleWeights);
      return { ...means, ofSamples: { losses, times: t } };
    },
  };
}
