// How rows of four results are stored, by all ways to make products.
import { type Target, isHalfTarget } from './product.ts';

/** How an invocation's results lie in those of the product. */
export interface StoredRows {
  /** 4 where rows are whole vectors; else what lies beyond the row is left out. */
  readonly width: 1 | 4;
  /** Vectors of four neighbours in each row, and columns from one to the next; one by default. */
  readonly vectors?: number;
  readonly apart?: number;
}

/**
 * Statements that store rows of vectors, from `row` and `col` on, of part and batch `z`. They stand there once for all rows: what
 * is made of results may be long, and some compilers take seconds for as many copies.
 * @param sums the vectors, row by row: expressions
 */
export function storeRows(
  targets: readonly Target[],
  sums: readonly string[],
  { width, vectors = 1, apart = 0 }: StoredRows,
): string {
  const count = sums.length;
  const place =
    vectors === 1
      ? 'let r = row + i; let c = col;'
      : `let r = row + i / ${vectors}u; let c = col + i % ${vectors}u * ${apart}u;`;
  return `var sums_ = array<vec4f, ${count}>(${sums.join(', ')});
  for (var i = 0u; i < ${count}u; i++) {
    ${place} if (r >= u.M || c >= u.N) { continue; }
    let v = sums_[i]; let at = (z * u.M + r) * u.N + c;
    ${targets.map((target) => storeRow(target, width)).join('\n    ')}
  }`;
}

function storeRow(target: Target, width: 1 | 4): string {
  const { name } = target;
  const value = (j: number): string => `${name}_value(v[${j}], r, c + ${j}u, batch)`;
  if (width === 4) return `set4_${name}(at / 4u, vec4f(${[0, 1, 2, 3].map(value).join(', ')}));`;
  const inside = (j: number, statement: string): string => `if (c + ${j}u < u.N) { ${statement} }`;
  if (isHalfTarget(target)) {
    const pair = (j: number): string =>
      inside(j, `set2_${name}((at + ${j}u) / 2u, vec2f(${value(j)}, ${value(j + 1)}));`);
    return [0, 2].map(pair).join(' ');
  }
  return [0, 1, 2, 3].map((j) => inside(j, `set_${name}(at + ${j}u, ${value(j)});`)).join(' ');
}

/** Statements that say which workgroup this is of all, which product it makes, and which terms of it. @param id its place in its dispatch */
export const whichPart = (id: string): string => `let group = ${id} + vec3u(u.firstX, u.firstY, u.firstZ);
  let z = group.z; let batch = z % u.batches; let part = z / u.batches;
  let first = part * u.perPart; let last = min(first + u.perPart, u.K);`;
