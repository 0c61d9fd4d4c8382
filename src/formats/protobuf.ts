// Protocol buffers (https://protobuf.dev/programming-guides/encoding), as far as an ONNX model needs them. A message is a list of
// pieces, so that weights are written without being copied.
export type Message = readonly Uint8Array[];

const VARINT = 0;
const BYTES = 2;

export function message(...fields: readonly Message[]): Message {
  return fields.flat();
}

export function integer(field: number, value: number): Message {
  return [varint(8 * field + VARINT), varint(value)];
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
