import { roundToFloat16 } from '../ops/round-to-float16.ts';
import { lowPrecisionOf, lowPrecisionValues } from './mixed-precision.ts';
import { type Program, opOf, rewrite } from './program.ts';

/**
 * What `mixedPrecision` with float16 makes, for a backend that does not store it: emulated in float32 memory, to the bit. The values
 * that would be stored are rounded to the nearest float16 as soon as they are made (ties to even, subnormals, infinity from 65520 on), and weights where
 * they meet such a value in a product.
 *
 * As under PyTorch's autocast, what a step multiplies are halves, and sums are float32. Beyond it, what never leaves an op (the
 * probabilities of attention), biases and the gradients of weights stay float32 throughout.
 */
export function emulateFloat16(program: Program): Program {
  const stored = lowPrecisionValues(program);
  return rewrite(program, (node, inputs, graph) => {
    const rule = lowPrecisionOf(opOf(node), node.inputs);
    if (rule === 'same') return graph.append(node.op, inputs, node.attributes);
    // Rounded anew for every product: a copy of all weights would live from the forward pass to the backward pass.
    const weights = stored.has(node.inputs[0]!) ? rule?.weights : undefined;
    const operands = inputs.map((tensor, i) => (weights?.includes(i) ? roundToFloat16(tensor) : tensor));
    const made = graph.append(node.op, operands, node.attributes, node.outputs, node.values);
    return made.map((tensor, i) => (stored.has(node.outputs[i]!) ? roundToFloat16(tensor) : tensor));
  });
}
