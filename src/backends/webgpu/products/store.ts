// How rows of four results are stored, by all ways to make products.
import { type Target, isHalfTarget } from './product.ts';

/**
 * Statements that store `v`, a vector of four neighbours from `col` on, in the row `row` of part and batch `z`.
 * @param row an expression
 * @param width 4 where rows are whole vectors; else what lies beyond the row is left out
 */
export function storeRow(target: Target, row: string, width: 1 | 4): string {
  const { name } = target;
  const at = `(z * u.M + ${row}) * u.N + col`;
  const value = (j: number): string => `${name}_value(v[${j}], ${row}, col + ${j}u, batch)`;
  if (width === 4) return `set4_${name}((${at}) / 4u, vec4f(${[0, 1, 2, 3].map(value).join(', ')}));`;
  if (isHalfTarget(target)) {
    return [0, 2]
      .map(
        (j) =>
          `if (col + ${j}u < u.N) { set2_${name}((${at} + ${j}u) / 2u, vec2f(${value(j)}, ${value(j + 1)})); }`,
      )
      .join(' ');
  }
  return [0, 1, 2, 3]
    .map((j) => `if (col + ${j}u < u.N) { set_${name}(${at} + ${j}u, ${value(j)}); }`)
    .join(' ');
}

/** Statements that say which product, and which terms, a workgroup makes. @param z an expression of its place on the third axis */
export const whichPart = (
  z: string,
): string => `let z = ${z}; let batch = z % u.batches; let part = z / u.batches;
  let first = part * u.perPart; let last = min(first + u.perPart, u.K);`;
