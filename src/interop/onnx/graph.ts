// An ONNX graph that is being written (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto has the fields' numbers).
import type { DType } from '../../tensor/dtype.ts';
import type { Shape } from '../../tensor/shape.ts';
import { type Message, integer, message, nested, text } from '../../formats/protobuf.ts';

const types = { float32: 1, int32: 6, int64: 7 } as const;
type OnnxType = keyof typeof types;

/** An attribute of a node; a number is a whole one. */
export type Attribute = number | readonly number[];

export class OnnxGraph {
  readonly #nodes: Message[] = [];
  readonly #constants: Message[] = [];
  #count = 0;

  /** A name that nothing else has. */
  newName(): string {
    return `value_${this.#count++}`;
  }

  node(
    type: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): void {
    const fields = [
      ...inputs.map((name) => text(1, name)),
      ...outputs.map((name) => text(2, name)),
      text(4, type),
      ...Object.entries(attributes).map(([name, value]) => nested(5, attribute(name, value))),
    ];
    this.#nodes.push(nested(1, message(...fields)));
  }

  /** Values that stand in the model. @returns their name */
  constant(type: OnnxType, shape: Shape, data: ArrayBufferView, name: string = this.newName()): string {
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const fields = [
      ...shape.map((extent) => integer(1, extent)),
      integer(2, types[type]),
      text(8, name),
      nested(9, [raw]),
    ];
    this.#constants.push(nested(5, message(...fields)));
    return name;
  }

  /** A list of whole numbers, as shapes and axes are given to nodes. */
  integers(values: readonly number[]): string {
    return this.constant('int64', [values.length], BigInt64Array.from(values, BigInt));
  }

  scalar(value: number): string {
    return this.constant('float32', [], Float32Array.of(value));
  }

  /** The whole graph, whose inputs and outputs have a free first axis. */
  finish(name: string, inputs: readonly Message[], outputs: readonly Message[]): Message {
    return message(
      ...this.#nodes,
      text(2, name),
      ...this.#constants,
      ...inputs.map((input) => nested(11, input)),
      ...outputs.map((output) => nested(12, output)),
    );
  }
}

/** The type of an input or an output. @param shape its first axis is the batch, of any size */
export function valueInfo(name: string, dtype: DType, shape: Shape): Message {
  const [, ...rest] = shape;
  const axes = [nested(1, text(2, 'batch')), ...rest.map((extent) => nested(1, integer(1, extent)))];
  const tensor = message(
    integer(1, dtype === 'int32' ? types.int32 : types.float32),
    nested(2, message(...axes)),
  );
  return message(text(1, name), nested(2, nested(1, tensor)));
}

const INT = 2;
const INTS = 7;

function attribute(name: string, value: Attribute): Message {
  if (typeof value === 'number') return message(text(1, name), integer(3, value), integer(20, INT));
  return message(text(1, name), ...value.map((item) => integer(8, item)), integer(20, INTS));
}
