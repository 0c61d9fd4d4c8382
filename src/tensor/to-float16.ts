const scratch = new DataView(new ArrayBuffer(4));

/** The bits of the nearest IEEE 754 binary16 of each value, ties to even; too large ones become infinite. */
export function toFloat16(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, float16Bits);
}

function float16Bits(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  // Half a step above the largest, 65504, rounds to infinity.
  if (magnitude >= 65520) return sign | 0x7c00;
  // Below 2^-14 the steps are 2^-24.
  if (magnitude < 2 ** -14) return sign | roundToEven(magnitude * 2 ** 24);
  // The exponent's bias changes from 127 to 15; a fraction that rounds up to 1 carries into the exponent, as it should.
  const shortened = (bits & 0x7fffffff) - ((127 - 15) << 23);
  return sign | ((shortened + 0xfff + ((shortened >> 13) & 1)) >> 13);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
