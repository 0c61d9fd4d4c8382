// A program as an ONNX model, for other runtimes. Its weights stand in the file.
import { RectiflowError, internalError } from '../../tensor/errors.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { lower } from '../../program/lower.ts';
import { type Program, opOf } from '../../program/program.ts';
import { OnnxGraph, valueInfo } from './graph.ts';
import { writerOf } from './ops.ts';
import { type Message, integer, message, nested, sizeInBytes, text } from '../../formats/protobuf.ts';

export interface OnnxOptions {
  /** The values of the program's state, by name. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** Stored beside the model. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What ONNX calls the version of its format, and of its operators: those of 2022, which all runtimes know by now. */
const irVersion = 8;
const opset = 17;
/** Of a protocol buffer. */
const maxBytes = 2 ** 31 - 1;

/**
 * @param build traces the program for a batch size. It is traced for two of them, because extents that differ between the two
 * are those that the model must leave open: it takes any batch size.
 * @returns the file, in pieces
 * @throws RectiflowError when the model is larger than the 2 GB that the format can hold
 */
export function toOnnx(build: (batch: number) => Program, { weights, metadata = {} }: OnnxOptions): Message {
  const [program, other] = [2, 3].map((batch) =>
    lower(build(batch), 'onnx', (op) => writerOf(op) !== undefined),
  );
  const graph = new OnnxGraph();
  const names = new Map<Tensor, string>();
  for (const tensor of program!.inputs) names.set(tensor, tensor.name!);
  for (const tensor of program!.state) {
    const values = weights.get(tensor.name!);
    if (values === undefined) throw internalError(`onnx: no values for ${tensor.name}`);
    names.set(tensor, graph.constant('float32', tensor.shape, values, tensor.name!));
  }
  for (const [name, tensor] of program!.outputs) names.set(tensor, name);
  program!.nodes.forEach((node, i) => {
    for (const tensor of node.outputs) if (!names.has(tensor)) names.set(tensor, graph.newName());
    const twin = other!.nodes[i]!;
    const shape = node.outputs[0]!.shape;
    const free = shape.map((extent, axis) => (twin.outputs[0]!.shape[axis] === extent ? extent : -1));
    const [inputs, outputs] = [node.inputs, node.outputs].map((tensors) =>
      tensors.map((tensor) => names.get(tensor)!),
    );
    writerOf(opOf(node))!({ graph, node, other: twin, inputs: inputs!, outputs: outputs!, free });
  });
  const info = ([name, { dtype, shape }]: readonly [string, Tensor]): Message =>
    valueInfo(name, dtype, shape);
  const inputs = program!.inputs.map((tensor) => info([tensor.name!, tensor]));
  const model = message(
    integer(1, irVersion),
    text(2, 'rectiflow'),
    nested(7, graph.finish(program!.name, inputs, [...program!.outputs].map(info))),
    nested(8, integer(2, opset)),
    ...Object.entries(metadata).map(([key, value]) => nested(14, message(text(1, key), text(2, value)))),
  );
  const bytes = sizeInBytes(model);
  if (bytes <= maxBytes) return model;
  throw new RectiflowError(
    'value',
    `export: the model takes ${bytes} bytes, and an ONNX file with its weights inside can hold ${maxBytes}. Export it with --layout public`,
  );
}
