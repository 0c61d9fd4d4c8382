import type { UpdateScalars } from '../../src/optim/optimizer.ts';
import type { Graph } from '../../src/tensor/tensor.ts';

/** The scalars of an update as inputs of a program, by their own names. */
export function updateScalars(graph: Graph): UpdateScalars {
  return {
    gradScale: graph.input('gradScale', []),
    learningRate: graph.input('learningRate', []),
    update: graph.input('update', [], 'int32'),
    counts: graph.input('counts', [], 'int32'),
  };
}
