// Weights that meet data of bfloat16 are rounded for each of their products, forward and backward. Here all are rounded once, when a run begins.
import { cast } from '../../../ops/cast.ts';
import { linearGatedResidualOp } from '../../../ops/linear-gated-residual.ts';
import { linearGradInputOp, linearOp } from '../../../ops/linear.ts';
import { type Program as Lowered, Program, changesOf, memoryOf } from '../../../program/index.ts';
import { sizeOf } from '../../../tensor/shape.ts';
import { Tensor, type Node, type OpSignature } from '../../../tensor/tensor.ts';
import type { Dispatch, Kernel } from '../dispatch.ts';
import { eachItem, groupSize } from '../items.ts';
import { findRow, tableNumber, tableOf } from '../stretches.ts';
import type { JoinedOp } from './joined.ts';

/** Elements of all copies: where weights are more, to round them costs little beside their products. */
const mostElements = 2 ** 26;
/** Ops whose second input is a weight that is rounded as the first one is. */
const readers: ReadonlySet<OpSignature> = new Set<OpSignature>([
  linearOp,
  linearGatedResidualOp,
  linearGradInputOp,
]);

/** An item for each pair of elements. */
const kernel: Kernel = ({ inputs, outputs }, { stretches }) => {
  const [copies] = stretches(outputs);
  const starts = new Map(copies!.members.map(({ index, start }) => [index, start]));
  const ends = outputs.map(({ shape }, i) => 2 * starts.get(i)! + sizeOf(shape));
  return stretches(inputs).map(({ operand, elements, members }): Dispatch => {
    let blocks = 0;
    const rows = members.map(({ index, start }) => {
      const pairs = sizeOf(inputs[index]!.shape) / 2;
      const row = [blocks, start, starts.get(index)!, pairs];
      blocks += Math.ceil(pairs / groupSize);
      return row;
    });
    return eachItem({
      arguments: [
        { name: 'x', operand, elements },
        { name: 'table', operand: tableOf(rows.flat()) },
        { name: 'y', operand: copies!.operand, elements: Math.max(...ends), isWritten: true, width: 2 },
      ],
      count: blocks * groupSize,
      functions: tableNumber,
      body: `${findRow(4)}
  if (at >= tableNumber(row + 3u)) { return; }
  let first = tableNumber(row + 1u) + 2u * at;
  set2_y(tableNumber(row + 2u) + at, vec2f(x(first), x(first + 1u)));`,
      sizes: { rows: rows.length },
    });
  });
};

export function roundWeightsOnce(program: Lowered): Lowered {
  const memory = memoryOf(program);
  const weights = new Set<Tensor>();
  const changed = new Set<Tensor>();
  for (const node of program.nodes) {
    for (const tensor of changesOf(node, memory)) changed.add(tensor);
    const w = weightOf(node);
    if (w === undefined) continue;
    // Of what a run has changed by then a copy from its beginning would be another.
    if (changed.has(w)) return program;
    weights.add(w);
  }
  const elements = [...weights].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  if (weights.size < 2 || elements > mostElements) return program;
  const copies = new Map(
    Array.from(weights, (w) => {
      const type = { shape: w.shape, dtype: 'bfloat16' } as const;
      return [w, new Tensor(w.graph, -1 - w.id, type, 'node')] as const;
    }),
  );
  const outputs = [...copies.values()];
  const op: JoinedOp = {
    kind: 'fused',
    name: 'casts',
    kernel,
    together: [outputs],
    infer: () => outputs.map(({ shape, dtype }) => ({ shape, dtype })),
    decompose: (given) => given.map((w) => cast(w, 'bfloat16')),
  };
  const rounding: Node = { op, inputs: [...copies.keys()], outputs, attributes: {}, values: undefined };
  const nodes = program.nodes.map((node): Node => {
    const copy = copies.get(weightOf(node)!);
    if (copy === undefined) return node;
    return { ...node, inputs: node.inputs.map((tensor, i) => (i === 1 ? copy : tensor)) };
  });
  return new Program(program.name, { ...program, nodes: [rounding, ...nodes] }, program.outputs);
}

/** The weight that a node rounds: state as it lies, of whole pairs. */
function weightOf({ op, inputs }: Node): Tensor | undefined {
  const [data, w] = inputs;
  const isRounded = readers.has(op) && data!.dtype === 'bfloat16' && w!.dtype === 'float32';
  return isRounded && w!.origin === 'state' && sizeOf(w!.shape) % 2 === 0 ? w : undefined;
}
