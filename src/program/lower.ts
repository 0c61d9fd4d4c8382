import { cast } from '../ops/cast.ts';
import { RectiflowError } from '../tensor/errors.ts';
import { fuse } from './fuse.ts';
import { type Program, opOf, rewrite } from './program.ts';
import { remake } from './remake.ts';

/**
 * Makes a program of ops that a backend has kernels for: pairs of nodes that one kernel does at once are joined, then every fused
 * op without a kernel is replaced by its decomposition, again and again until none is left. Kernels of the backward pass then make
 * again what they can.
 * @param hasKernel whether the backend runs an op of this name as it is
 * @throws where the backend lacks a primitive, which nothing can stand in for
 */
export function lower(program: Program, backend: string, hasKernel: (op: string) => boolean): Program {
  return remake(decompose(fuse(program, hasKernel), backend, hasKernel));
}

function decompose(program: Program, backend: string, hasKernel: (op: string) => boolean): Program {
  const missing = program.nodes.find(({ op }) => !hasKernel(op.name));
  if (missing === undefined) return program;
  const once = rewrite(program, (node, inputs, graph) => {
    const op = opOf(node);
    if (hasKernel(op.name)) return graph.append(op, inputs, node.attributes, node.outputs, node.values);
    if (op.kind === 'primitive') {
      throw new RectiflowError('backend', `${backend}: no kernel for the primitive op ${op.name}`);
    }
    // Mixed precision may have chosen another dtype for an output than the decomposition makes.
    return op.decompose(inputs, node.attributes).map((tensor, i) => cast(tensor, node.outputs[i]!.dtype));
  });
  return decompose(once, backend, hasKernel);
}
