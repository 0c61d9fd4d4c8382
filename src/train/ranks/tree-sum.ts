/** In float32, as gradients are added up: over a binary tree, neighbours first. @param values of which sums take the place */
export function treeSum(values: number[]): number {
  for (let apart = 1; apart < values.length; apart *= 2)
    for (let i = 0; i + apart < values.length; i += 2 * apart)
      values[i] = Math.fround(values[i]! + values[i + apart]!);
  return values[0]!;
}
