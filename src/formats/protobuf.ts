// Protocol buffers (https://protobuf.dev/programming-guides/encoding), as far as ONNX models and TensorBoard's events need them. A
// message is a list of pieces, so that weights are written without being copied.
export type Message = readonly Uint8Array[];

/** How a field is written; it stands beside its number. */
const VARINT = 0;
const DOUBLE = 1;
const BYTES = 2;
const FLOAT = 5;

export function message(...fields: readonly Message[]): Message {
  return fields.flat();
}

export function integer(field: number, value: number): Message {
  return [varint(8 * field + VARINT), varint(value)];
}

export function double(field: number, value: number): Message {
  const data = new DataView(new ArrayBuffer(8));
  data.setFloat64(0, value, true);
  return [varint(8 * field + DOUBLE), new Uint8Array(data.buffer)];
}

export function float(field: number, value: number): Message {
  const data = new DataView(new ArrayBuffer(4));
  data.setFloat32(0, value, true);
  return [varint(8 * field + FLOAT), new Uint8Array(data.buffer)];
}

/** A repeated double. */
export function doubles(field: number, values: readonly number[]): Message {
  const data = new DataView(new ArrayBuffer(8 * values.length));
  values.forEach((value, i) => data.setFloat64(8 * i, value, true));
  return nested(field, [new Uint8Array(data.buffer)]);
}

export function text(field: number, value: string): Message {
  return nested(field, [new TextEncoder().encode(value)]);
}

/** Bytes, or a message within a message. */
export function nested(field: number, content: Message): Message {
  return [varint(8 * field + BYTES), varint(sizeInBytes(content)), ...content];
}

export function sizeInBytes(content: Message): number {
  return content.reduce((sum, piece) => sum + piece.byteLength, 0);
}

/** A whole number from 0, seven bits to a byte. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
