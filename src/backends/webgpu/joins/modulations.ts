// The linear layers that make the modulation of all blocks of one conditioning, and what cuts their results in parts: one product of all
// weights. Nothing of it depends on what blocks do.
import { elementsOp } from '../../../ops/elements.ts';
import { activations } from '../../../ops/activations.ts';
import { concat, reshape } from '../../../ops/index.ts';
import { linearOp } from '../../../ops/linear.ts';
import { splitOp } from '../../../ops/slice.ts';
import type { Program } from '../../../program/index.ts';
import { sizeOf } from '../../../tensor/shape.ts';
import { Tensor, type Node } from '../../../tensor/tensor.ts';
import type { Dispatch, Kernel } from '../dispatch.ts';
import { product } from '../products/index.ts';
import { inOneBuffer, tableNumber, tableOf } from '../stretches.ts';
import { Joining, standIn } from './joined.ts';

/** x [B, K], then for each layer w [parts D, K] and b [parts D] -> [all parts, B, D]. */
const kernel: Kernel = ({ inputs, outputs }, { tuning, stretches }) => {
  const [x, ...parameters] = inputs as [Tensor, ...Tensor[]];
  const [y] = outputs as [Tensor];
  const [parts, B, D] = y.shape as [number, number, number];
  const K = x.shape[1]!;
  const layers = parameters.filter((_, i) => i % 2 === 0).map((w, i) => ({ w, b: parameters[2 * i + 1]! }));
  let first = 0;
  const placed = layers.map((layer) => {
    const count = layer.w.shape[0]! / D;
    first += count;
    return { ...layer, first: first - count, count };
  });
  const weightsOf = (some: readonly (typeof placed)[number][]): Tensor[] => some.map(({ w }) => w);
  const biasesOf = (some: readonly (typeof placed)[number][]): Tensor[] => some.map(({ b }) => b);
  // Layers whose parameters lie in one buffer are one dispatch: parts are the products of a batch.
  const runs = inRuns(placed, (some) =>
    [weightsOf, biasesOf].every((of) => stretches(of(some)).length === 1),
  );
  return runs.flatMap((run): Dispatch[] => {
    const weights = inOneBuffer(weightsOf(run), stretches);
    const biases = inOneBuffer(biasesOf(run), stretches);
    const places = run.flatMap(({ count }, i) =>
      Array.from({ length: count }, (_, part) => [
        weights.starts[i]! + part * D * K,
        biases.starts[i]! + part * D,
      ]),
    );
    const firstPart = run[0]!.first;
    const dispatches = product(
      {
        M: B,
        N: D,
        K,
        batch: parts,
        a: { operand: x, contiguous: 'k', stride: K },
        b: {
          operand: weights.operand,
          contiguous: 'k',
          ofK: 'return vec3i(i32(k), 0, 0);',
          ofOther: 'return vec3i(i32(tableNumber(2u * (batch - u.firstPart)) + other * u.K), 0, 0);',
          element: 'return b(u32(k.x + other.x));',
        },
        reads: [
          { name: 'table', operand: tableOf(places.flat()) },
          { name: 'bias', operand: biases.operand, elements: biases.elements },
        ],
        sizes: { firstPart },
        outputs: [
          {
            name: 'y',
            tensor: y,
            value: 'v + bias(tableNumber(2u * (batch - u.firstPart) + 1u) + col)',
          },
        ],
      },
      tuning,
    );
    return dispatches.map((dispatch): Dispatch => ({
      ...dispatch,
      code: `${tableNumber}\n${dispatch.code}`,
      arguments: dispatch.arguments.map((argument) =>
        argument.name === 'b' ? { ...argument, elements: weights.elements } : argument,
      ),
      sizes: { ...dispatch.sizes, firstZ: firstPart },
      groups: [dispatch.groups[0], dispatch.groups[1], places.length],
    }));
  });
};

/** Elements of all parts: where they are more, to start a dispatch is little beside it. */
const mostElements = 2 ** 24;

/** Neighbours of a list in as few runs as fit together. */
export function inRuns<T>(all: readonly T[], fit: (some: readonly T[]) => boolean): T[][] {
  const runs: T[][] = [];
  for (const each of all) {
    const last = runs.at(-1);
    if (last && fit([...last, each])) last.push(each);
    else runs.push([each]);
  }
  return runs;
}

interface Layer {
  readonly linear: Node;
  readonly split: Node;
  /** What its parts are [B, D] of. */
  readonly D: number;
}

export function joinModulations(program: Program): Program {
  const joining = new Joining(program);
  const groups = new Map<Tensor, Layer[]>();
  for (const linear of joining.nodes) {
    const layer = modulationOf(linear, joining);
    if (layer === undefined) continue;
    const x = linear.inputs[0]!;
    const others = groups.get(x) ?? [];
    if (others.length === 0 || others[0]!.D === layer.D) groups.set(x, [...others, layer]);
  }
  for (const [x, layers] of groups) joinLayers(x, layers, joining);
  return joining.program();
}

function modulationOf(linear: Node, joining: Joining): Layer | undefined {
  const { op, inputs, outputs, attributes } = linear;
  if (op !== linearOp || inputs.length !== 3 || attributes['activation'] !== activations.none)
    return undefined;
  const [x, w, b] = inputs as [Tensor, Tensor, Tensor];
  const split = joining.onlyReaderOf(outputs[0]!);
  const isPlain = [x, w, b, outputs[0]!].every(({ dtype }) => dtype === 'float32') && x.shape.length === 2;
  if (split?.op !== splitOp || split.attributes['axis'] !== 1 || !isPlain) return undefined;
  // What lies in between would be of other values in other places: state lies still.
  if (w.origin !== 'state' || b.origin !== 'state' || split.outputs.some((part) => joining.isOutput(part)))
    return undefined;
  return { linear, split, D: split.outputs[0]!.shape[1]! };
}

function joinLayers(x: Tensor, layers: readonly Layer[], joining: Joining): void {
  const B = x.shape[0]!;
  const { D } = layers[0]!;
  // Of layers that are made again in the backward pass there is one.
  const different = layers.filter(
    ({ linear }, i) => layers.findIndex((other) => other.linear.inputs[1] === linear.inputs[1]) === i,
  );
  const parts = different.flatMap(({ split }) => split.outputs);
  if (parts.length * B * D > mostElements) return;
  const all = new Tensor(x.graph, -1 - x.id, { shape: [parts.length, B, D], dtype: 'float32' }, 'node');
  const nodes = different.flatMap(({ linear, split }) => [linear, split]);
  const joined = standIn({
    name: 'linear, split',
    kernel,
    nodes,
    inputs: [x, ...different.flatMap(({ linear }) => linear.inputs.slice(1))],
    outputs: [all],
    outputsOf: (made) => [
      concat(
        parts.map((part) => reshape(made(part), [1, B, D])),
        0,
      ),
    ],
  });
  const views = layers.flatMap(({ linear, split }) => {
    const first = different.findIndex((other) => other.linear.inputs[1] === linear.inputs[1]);
    const before = different.slice(0, first).reduce((count, other) => count + other.split.outputs.length, 0);
    return split.outputs.map((part, i): Node => {
      const count = sizeOf(part.shape);
      const attributes = { start: (before + i) * count, count };
      return { op: elementsOp, inputs: [all], outputs: [part], attributes, values: undefined };
    });
  });
  const group = layers.flatMap(({ linear, split }) => [linear, split]);
  joining.replace(group, [joined, ...views], 'first');
}
