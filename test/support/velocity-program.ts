import type { Objective } from '../../src/flow/objective.ts';
import { rectifiedFlow } from '../../src/flow/rectified-flow.ts';
import { velocityOf } from '../../src/flow/velocity-program.ts';
import type { VelocityModel } from '../../src/models/model.ts';
import { type Program, trace } from '../../src/program/index.ts';
import type { Shape } from '../../src/tensor/shape.ts';

/** `velocityInPlace` with x as an input, [B, ...sampleShape], and the velocity as an output. */
export function velocityProgram(
  model: VelocityModel,
  batch: number,
  guided: boolean,
  objective: Objective = rectifiedFlow(),
  sampleShape: Shape = model.sampleShape,
): Program {
  return trace('velocity', (graph) => {
    const velocity = velocityOf(graph, model, guided, objective);
    return { velocity: velocity(graph.input('x', [batch, ...sampleShape])) };
  });
}
