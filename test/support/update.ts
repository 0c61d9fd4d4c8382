import type { StepScalars } from '../../src/optim/adamw.ts';
import type { Graph } from '../../src/tensor/tensor.ts';

/** The scalars of an update as inputs of a program, by their own names. */
export function updateScalars(graph: Graph): StepScalars {
  return {
    gradScale: graph.input('gradScale', []),
    learningRate: graph.input('learningRate', []),
    step: graph.input('step', [], 'int32'),
    emaWeight: graph.input('emaWeight', []),
    counts: graph.input('counts', [], 'int32'),
  };
}
