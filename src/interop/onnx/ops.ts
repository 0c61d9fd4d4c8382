// What each op of a lowered program is in ONNX, opset 17. The ops that a velocity is made of are here; the others have no need to be.
import type { Op } from '../../ops/op.ts';
import { isBuiltIn } from '../../ops/registry.ts';
import { internalError } from '../../tensor/errors.ts';
import { type Shape, sizeOf } from '../../tensor/shape.ts';
import type { Node } from '../../tensor/tensor.ts';
import { startOf } from '../../program/index.ts';
import type { OnnxGraph } from './graph.ts';

/** One node, and what its values are called. */
export interface Context {
  readonly graph: OnnxGraph;
  readonly node: Node;
  /** The same node of the program for another batch size. */
  readonly other: Node;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** The shape of an output, with -1 for the extents that grow with the batch. */
  readonly free: Shape;
}

type Write = (context: Context) => void;

const plain =
  (type: string): Write =>
  ({ graph, inputs, outputs }) =>
    graph.node(type, inputs, outputs);

function numbers(value: number | readonly number[] | undefined): readonly number[] {
  return value === undefined ? [] : typeof value === 'number' ? [value] : value;
}

function number(value: number | readonly number[] | undefined): number {
  return numbers(value)[0]!;
}

function writeAffine({ graph, node, inputs, outputs }: Context): void {
  const { scale, offset } = node.attributes;
  const scaled = graph.newName();
  graph.node('Mul', [inputs[0]!, graph.scalar(number(scale))], [scaled]);
  graph.node('Add', [scaled, graph.scalar(number(offset))], outputs);
}

/** ONNX's product transposes nothing itself. */
function writeMatmul({ graph, node, inputs, outputs }: Context): void {
  const { transposeA, transposeB } = node.attributes;
  const operands = [transposeA, transposeB].map((isTransposed, i) => {
    if (!isTransposed) return inputs[i]!;
    const rank = node.inputs[i]!.shape.length;
    const perm = Array.from({ length: rank }, (_, axis) => axis);
    perm.push(...perm.splice(-2).toReversed());
    const transposed = graph.newName();
    graph.node('Transpose', [inputs[i]!], [transposed], { perm });
    return transposed;
  });
  graph.node('MatMul', operands, outputs);
}

/** All of the input's elements under another shape, or some that lie one behind the other. */
function writeView({ graph, node, other, inputs, outputs, free }: Context): void {
  if (free.filter((extent) => extent < 0).length > 1)
    throw internalError(`onnx: ${node.op.name} has two extents that grow with the batch`);
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const size = sizeOf(y.shape);
  if (size === sizeOf(x.shape)) {
    graph.node('Reshape', [inputs[0]!, graph.integers(free)], outputs);
    return;
  }
  const start = startOf(node);
  if (start !== startOf(other) || free.includes(-1))
    throw internalError(`onnx: ${node.op.name} views a part that changes with the batch`);
  const [flat, part] = [graph.newName(), graph.newName()];
  graph.node('Reshape', [inputs[0]!, graph.integers([-1])], [flat]);
  graph.node('Slice', [flat, graph.integers([start]), graph.integers([start + size])], [part]);
  graph.node('Reshape', [part, graph.integers(free)], outputs);
}

function writeConstant({ graph, node, outputs }: Context): void {
  const { shape, dtype } = node.outputs[0]!;
  if (dtype === 'int32') graph.constant(dtype, shape, Int32Array.from(node.values!), outputs[0]);
  else graph.constant('float32', shape, Float32Array.from(node.values!), outputs[0]);
}

/** An extent of 1 keeps what is there, which the batch's extent always is. */
function writeBroadcast({ graph, inputs, outputs, free }: Context): void {
  graph.node('Expand', [inputs[0]!, graph.integers(free.map((extent) => Math.max(1, extent)))], outputs);
}

function writeSlice({ graph, node, inputs, outputs }: Context): void {
  const { axis, start, size } = node.attributes;
  const from = number(start);
  const bounds = [[from], [from + number(size)], [number(axis)]].map((list) => graph.integers(list));
  graph.node('Slice', [inputs[0]!, ...bounds], outputs);
}

function writeSplit({ graph, node, inputs, outputs }: Context): void {
  const axis = number(node.attributes['axis']);
  const sizes = node.outputs.map(({ shape }) => shape[axis]!);
  graph.node('Split', [inputs[0]!, graph.integers(sizes)], outputs, { axis });
}

const byName: Readonly<Record<string, Write>> = {
  add: plain('Add'),
  sub: plain('Sub'),
  mul: plain('Mul'),
  div: plain('Div'),
  minimum: plain('Min'),
  maximum: plain('Max'),
  neg: plain('Neg'),
  exp: plain('Exp'),
  log: plain('Log'),
  sqrt: plain('Sqrt'),
  square: ({ graph, inputs: [x], outputs }) => graph.node('Mul', [x!, x!], outputs),
  reciprocal: plain('Reciprocal'),
  tanh: plain('Tanh'),
  sigmoid: plain('Sigmoid'),
  sin: plain('Sin'),
  cos: plain('Cos'),
  affine: writeAffine,
  matmul: writeMatmul,
  broadcastTo: writeBroadcast,
  slice: writeSlice,
  split: writeSplit,
  gather: ({ graph, inputs, outputs }) => graph.node('Gather', inputs, outputs, { axis: 0 }),
  concat: ({ graph, node, inputs, outputs }) =>
    graph.node('Concat', inputs, outputs, { axis: number(node.attributes['axis']) }),
  transpose: ({ graph, node, inputs, outputs }) =>
    graph.node('Transpose', inputs, outputs, { perm: numbers(node.attributes['permutation']) }),
  sum: ({ graph, node: { attributes }, inputs, outputs }) =>
    graph.node('ReduceSum', [inputs[0]!, graph.integers(numbers(attributes['axes']))], outputs, {
      keepdims: number(attributes['keepDims']),
    }),
  max: ({ graph, node: { attributes }, inputs, outputs }) =>
    graph.node('ReduceMax', inputs, outputs, {
      axes: numbers(attributes['axes']),
      keepdims: number(attributes['keepDims']),
    }),
};

/** What writes an op's nodes; undefined where ONNX has to be told in other ops. */
export function writerOf(op: Op): Write | undefined {
  if (op.kind === 'view') return writeView;
  if (op.kind === 'constant') return writeConstant;
  return isBuiltIn(op) ? byName[op.name] : undefined;
}
