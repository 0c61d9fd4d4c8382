// The velocity of a batch as a program, or what else the samplers of the objective go by.
import { type VelocityModel, declareConditions } from '../models/model.ts';
import { declareParameters } from '../nn/parameters.ts';
import { assign, concat } from '../ops/index.ts';
import { type Program, trace } from '../program/index.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';
import { guide } from './guidance.ts';
import type { Objective } from './objective.ts';
import { rectifiedFlow } from './rectified-flow.ts';

/** Names of the state of `velocityInPlace`: where it looks, and what it says of it. */
export const stateNames = { x: 'sampling.x', velocity: 'sampling.velocity' } as const;

/**
 * The velocity of a batch, between state: x [B, ...sampleShape] is what the program finds there, and velocity what it leaves. Inputs:
 * t [B]; the model's conditions, [B, ...] each. Guided: conditions [2B, ...], whose second half tells nothing, and guidance [].
 */
export function velocityInPlace(
  model: VelocityModel,
  batch: number,
  guided: boolean,
  objective: Objective = rectifiedFlow(),
  sampleShape: Shape = model.sampleShape,
): Program {
  return trace(guided ? 'guidedVelocity' : 'velocity', (graph) => {
    const velocity = velocityOf(graph, model, guided, objective);
    const shape = [batch, ...sampleShape];
    assign(graph.stateful(stateNames.velocity, shape), velocity(graph.stateful(stateNames.x, shape)));
    return {};
  });
}

/** @returns what records the velocity at x [B, ...], of x's shape, and declares the inputs of `velocityInPlace` */
export function velocityOf(
  graph: Graph,
  model: VelocityModel,
  guided: boolean,
  objective: Objective,
): (x: Tensor) => Tensor {
  const params = declareParameters(graph, model.parameters);
  return (x) => {
    const evaluated = guided ? concat([x, x], 0) : x; // -> [2B, ...] or [B, ...]
    const rows = evaluated.shape[0]!;
    const t = graph.input('t', [x.shape[0]!]);
    const times = guided ? concat([t, t], 0) : t;
    const predicted = model.velocity(params, evaluated, times, declareConditions(graph, model, rows));
    const output = guided ? guide(predicted, graph.input('guidance', [])) : predicted;
    return objective.velocity?.(output, x, t) ?? output;
  };
}
