/** Float32 numbers that a float64 is the sum of. */
export const partsPerNumber = 3;

/**
 * float64 numbers for programs, whose inputs are float32: each as three parts, the nearest float32 and what that leaves, twice over.
 * Their sum in float64 is the number itself, for zero and between 2^-77 and the largest float32; below, the last digits are lost.
 * @returns [N, 3], row-major
 */
export function toFloat32Parts(numbers: readonly number[]): Float32Array {
  return Float32Array.from(
    numbers.flatMap((number) => {
      const high = Math.fround(number);
      if (!Number.isFinite(high)) return [high, 0, 0];
      const middle = Math.fround(number - high);
      return [high, middle, number - high - middle];
    }),
  );
}

/** The numbers that `toFloat32Parts` took apart. @param parts [N, 3], row-major */
export function fromFloat32Parts(parts: ArrayLike<number>): number[] {
  return Array.from(
    { length: parts.length / partsPerNumber },
    (_, i) => parts[partsPerNumber * i]! + parts[partsPerNumber * i + 1]! + parts[partsPerNumber * i + 2]!,
  );
}
