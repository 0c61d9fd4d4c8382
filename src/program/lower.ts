import { cast } from '../ops/cast.ts';
import type { Op } from '../ops/op.ts';
import { isBuiltIn } from '../ops/registry.ts';
import { RectiflowError } from '../tensor/errors.ts';
import { fuse } from './fuse.ts';
import type { Node } from '../tensor/tensor.ts';
import { type Program, isWork, opOf, rewrite } from './program.ts';
import { remake } from './remake.ts';

/**
 * Makes a program of ops that a backend has kernels for: pairs of nodes that one kernel does at once are joined, then every fused
 * op without a kernel is replaced by its decomposition, again and again until none is left. Kernels of the backward pass then make
 * again what they can.
 * @param hasKernel whether the backend runs an op as it is. It is asked for the op itself, as a program may have ops of its own that
 * are called as others are; views and constants need no kernel
 * @throws where the backend lacks a primitive, which nothing can stand in for
 */
export function lower(program: Program, backend: string, hasKernel: (op: Op) => boolean): Program {
  return remake(decompose(fuse(program, hasKernel), backend, hasKernel));
}

function decompose(program: Program, backend: string, hasKernel: (op: Op) => boolean): Program {
  const runs = (node: Node): boolean => !isWork(node) || hasKernel(opOf(node));
  if (program.nodes.every(runs)) return program;
  const once = rewrite(program, (node, inputs, graph) => {
    const op = opOf(node);
    if (runs(node)) return graph.append(op, inputs, node.attributes, node.outputs, node.values);
    if (op.kind !== 'fused') throw noKernel(backend, op);
    // Mixed precision may have chosen another dtype for an output than the decomposition makes.
    return op.decompose(inputs, node.attributes).map((tensor, i) => cast(tensor, node.outputs[i]!.dtype));
  });
  return decompose(once, backend, hasKernel);
}

function noKernel(backend: string, op: Op): RectiflowError {
  const message = isBuiltIn(op)
    ? `${backend}: no kernel for the primitive op ${op.name}`
    : `${backend}: no kernel for ${op.name}, a primitive op of the program's own. ` +
      'Define it as a fused op, by ops of rectiflow, or run the program on the reference backend, which evaluates it';
  return new RectiflowError('backend', message);
}
