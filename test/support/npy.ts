import { bytesOf } from '../../src/formats/safetensors.ts';

/** A .npy file with this header, padded as the format asks. */
export function encodeNpy(header: string, data: ArrayBufferView, version = 1): Buffer {
  const prefix = version === 1 ? 10 : 12;
  const text = Buffer.from(
    header.trimEnd().padEnd(Math.ceil((prefix + header.length + 1) / 64) * 64 - prefix - 1) + '\n',
  );
  const start = Buffer.alloc(prefix);
  start.write('\u0093NUMPY', 'latin1');
  start.set([version, 0], 6);
  if (version === 1) start.writeUInt16LE(text.length, 8);
  else start.writeUInt32LE(text.length, 8);
  return Buffer.concat([start, text, bytesOf(data)]);
}

/** A .npy file of values, by numpy's name of their type. */
export function npy(type: string, shape: readonly number[], data: ArrayBufferView): Buffer {
  const tuple = `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`;
  return encodeNpy(`{'descr': '${type}', 'fortran_order': False, 'shape': ${tuple}, }`, data);
}
