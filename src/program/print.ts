import { formatShape } from '../tensor/errors.ts';
import type { Attributes, Node, Tensor } from '../tensor/tensor.ts';

/** `%12` for a node's value, the name of an input or of state. */
export function formatTensor(tensor: Tensor): string {
  return tensor.name ?? `%${tensor.id}`;
}

export function formatType({ dtype, shape }: Pick<Tensor, 'dtype' | 'shape'>): string {
  return `${dtype} ${formatShape(shape)}`;
}

function formatAttributes(attributes: Attributes): string {
  const entries = Object.entries(attributes).map(([name, value]) => {
    return `${name}: ${typeof value === 'number' ? value : `[${value.join(', ')}]`}`;
  });
  return entries.length === 0 ? '' : ` {${entries.join(', ')}}`;
}

export function formatNode(node: Node): string {
  const outputs = node.outputs.map((tensor) => `${formatTensor(tensor)}: ${formatType(tensor)}`).join(', ');
  const call = `${node.op.name}(${node.inputs.map(formatTensor).join(', ')})${formatAttributes(node.attributes)}`;
  return outputs === '' ? call : `${outputs} = ${call}`;
}
