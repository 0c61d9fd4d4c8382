// Numbers at which a conversion to float16 may go wrong, and what the host makes of them.
import { fromHalfBits, toHalfBits } from '../../src/tensor/half.ts';

const fromBits = (bits: Uint16Array): Float32Array => fromHalfBits('float16', bits);

/** The neighbours of a float32 that is not zero, towards and away from zero. */
function neighbours(value: number): [number, number] {
  const bits = new Int32Array(Float32Array.of(value).buffer)[0]!;
  const [below, above] = new Float32Array(Int32Array.of(bits - 1, bits + 1).buffer);
  return [below!, above!];
}

/** Every float16, NaN and infinity among them, the middle between it and the next, and the float32 just before and after that. */
export function valuesAroundFloat16(): Float32Array {
  const halves = fromBits(Uint16Array.from({ length: 0x10000 }, (_, i) => i));
  const middles: number[] = [];
  for (let i = 0; i < 0x7c00; i++) {
    // What would be the next after the largest is 2^16.
    const middle = (halves[i]! + Math.min(halves[i + 1]!, 2 ** 16)) / 2;
    for (const value of [middle, ...neighbours(middle)]) middles.push(value, -value);
  }
  return Float32Array.from([...halves, ...middles, 2 ** -126, 1e-40, 3e38, -3e38]);
}

/** As the host converts them. */
export function nearestFloat16(values: ArrayLike<number>): Float32Array {
  return fromBits(toHalfBits('float16', values));
}
