/**
 * How far two sets of samples are from being of one distribution (Szekely & Rizzo 2013, J. Stat. Plan. Inference 143):
 *
 *     2 E|x - y| - E|x - x'| - E|y - y'|
 *
 * 0 only where they are the same. |.| is the root mean square over the numbers of a sample, so that the size of images does not
 * matter. Two sets of N of one distribution are about E|x - x'| / N apart.
 * @param a [N, size], row-major
 * @param b [M, size]
 */
export function energyDistance(a: Float32Array, b: Float32Array, size: number): number {
  return 2 * meanDistance(a, b, size) - meanDistance(a, a, size) - meanDistance(b, b, size);
}

function meanDistance(a: Float32Array, b: Float32Array, size: number): number {
  let total = 0;
  for (let i = 0; i < a.length; i += size) {
    for (let j = 0; j < b.length; j += size) {
      let squares = 0;
      for (let n = 0; n < size; n++) squares += (a[i + n]! - b[j + n]!) ** 2;
      total += Math.sqrt(squares / size);
    }
  }
  return total / ((a.length / size) * (b.length / size));
}
