// Blocks of scores for adapters on which barriers are expensive: each invocation reads all that it needs from memory.
import { type Blocks, each, four, mostChunks, rows } from './blocks.ts';
import type { Heads } from './heads.ts';

const vectors = [0, 1] as const;
const columns = 4 * vectors.length;
const all = vectors.flatMap((v) => four.map((j) => ({ v, j, k: 4 * v + j })));
const invocations = 16;

export const directBlocks: Blocks = {
  vectors,
  columns,
  tile: { rows: rows.length * invocations, invocations, lanes: 1 },
  // Sums are zeros at first, and each of these is a statement to some compilers.
  chunksFor: (chunks) => [4, 8, 16].find((few) => chunks <= few) ?? mostChunks,
  declarations: '',
  begin: ({ rowCount, sums, chunks }, hasLengths) => `
  let row_0 = tileRow + index * 4u;
  if (row_0 >= u.${rowCount}) { return; }
  let lane = 0u;
  let keys = ${hasLengths ? 'keysOf(batch)' : 'u.M'};
  ${each(rows.slice(1), (r) => `let row_${r} = row_0 + ${r}u;`)}
  let parts = min(u.chunks - part, ${chunks}u);
  ${each(sums, (sum) => `var ${sum}: array<vec4f, ${rows.length * chunks}>;`)}`,
  beginBlock: each(
    vectors,
    (v) => `let column_${v} = vec4u(first) + vec4u(${four.map((j) => `${4 * v + j}u`).join(', ')});`,
  ),
  products: (name, a, b) => `
    ${each(rows, (r) => each(vectors, (v) => `var ${name}_${r}_${v} = vec4f(0);`))}
    {
      ${each(rows, (r) => `let a${r} = ${a.name}_at(batch, head, min(row_${r}, u.${a.rows} - 1u));`)}
      ${places(b)}
      for (var c = 0u; c < u.chunks; c++) {
        ${each(rows, (r) => `let x${r} = ${a.name}_load(a${r}, c);`)}
        ${each(all, ({ k }) => `let y${k} = ${b.name}_load(b${k}, c);`)}
        ${each(rows, (r) => each(vectors, (v) => `${name}_${r}_${v} += vec4f(${four.map((j) => `dot(x${r}, y${4 * v + j})`).join(', ')});`))}
      }
    }`,
  add: (sum, weights, b, kept) => `
    {
      ${places(b)}
      for (var c = 0u; c < parts; c++) {
        ${each(all, ({ k }) => `let y${k} = ${b.name}_load(b${k}, part + c);`)}
        ${each(rows, (r) => `let t${r} = ${all.map(({ v, j, k }) => `${weights}_${r}_${v}[${j}] * y${k}`).join(' + ')};`)}
        ${each(rows, (r) => `${sum}[4u * c + ${r}u] = ${kept ? `${sum}[4u * c + ${r}u] * ${kept(r)}` : `${sum}[4u * c + ${r}u]`} + t${r};`)}
      }
    }`,
  join: () => '',
  store: (sum, to, value) =>
    each(
      rows,
      (r) => `
  if (row_${r} < u.${to.rows}) {
    let at = ${to.name}_at(batch, head, row_${r});
    for (var c = 0u; c < parts; c++) { let v = ${sum}[4u * c + ${r}u]; ${to.name}_store(at, part + c, ${value(r)}); }
  }`,
    ),
};

/** Where the block's columns begin; beyond the end there is the last one again, whose weight is 0. */
function places({ name }: Heads): string {
  return each(
    all,
    ({ v, j, k }) => `let b${k} = ${name}_at(batch, head, min(column_${v}[${j}], columns - 1u));`,
  );
}
