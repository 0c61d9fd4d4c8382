// Blocks of scores that go through memory of a workgroup: 8 x 8 invocations have 32 rows and 32 columns, each 4 x 4 of them. Rows and columns
// of an invocation are 8 apart, and rows of a tile an odd number of vectors: so neighbours read from different banks.
import { type Blocks, each, four, mostChunks, rows } from './blocks.ts';

const [side, tile] = [8, 32];
/** Vectors of a row of a tile, and from it to the next. */
const [wide, pitch] = [8, 9];
const invocations = side * side;
const vectors = [0] as const;

export const tiledBlocks: Blocks = {
  vectors,
  columns: tile,
  tile: { rows: tile, invocations, lanes: side },
  chunksFor: (chunks) => [wide, 2 * wide].find((few) => chunks <= few) ?? mostChunks,
  declarations: `
var<workgroup> aTile: array<vec4f, ${tile * pitch}>;
var<workgroup> bTile: array<vec4f, ${tile * pitch}>;
var<workgroup> weights: array<vec4f, ${tile * pitch}>;
var<workgroup> partials: array<f32, ${tile * side}>;
var<workgroup> keysOfGroup: u32;`,
  begin: ({ sums, chunks }, hasLengths) => `
  let lane = index % ${side}u; let line = index / ${side}u;
  ${hasLengths ? 'if (index == 0u) { keysOfGroup = keysOf(batch); } let keys = workgroupUniformLoad(&keysOfGroup);' : 'let keys = u.M;'}
  ${each(rows, (r) => `let row_${r} = tileRow + line + ${side * r}u;`)}
  let parts = (min(u.chunks - part, ${chunks}u) + ${wide - 1}u) / ${wide}u;
  ${each(sums, (sum) => `var ${sum}: array<vec4f, ${rows.length * Math.ceil(chunks / wide)}>;`)}`,
  beginBlock: `let column_0 = vec4u(first + lane) + vec4u(${four.map((j) => `${side * j}u`).join(', ')});`,
  products: (name, a, b) => `
    ${each(rows, (r) => `var ${name}_${r}_0 = vec4f(0);`)}
    for (var c = 0u; c < u.chunks; c += ${wide}u) {
      ${load('aTile', a.name, { first: 'tileRow', end: `u.${a.rows}` }, 'c')}
      ${load('bTile', b.name, { first: 'first', end: 'columns' }, 'c')}
      workgroupBarrier();
      for (var k = 0u; k < ${wide}u; k++) {
        ${each(rows, (r) => `let x${r} = aTile[(line + ${side * r}u) * ${pitch}u + k];`)}
        ${each(four, (j) => `let y${j} = bTile[(lane + ${side * j}u) * ${pitch}u + k];`)}
        ${each(rows, (r) => `${name}_${r}_0 += vec4f(${four.map((j) => `dot(x${r}, y${j})`).join(', ')});`)}
      }
      workgroupBarrier();
    }`,
  // Weights lie in the order of lanes: vector l of a row has columns l, l + 8, l + 16 and l + 24.
  add: (sum, weights, b, kept) => `
    ${each(rows, (r) => `weights[(line + ${side * r}u) * ${pitch}u + lane] = ${weights}_${r}_0;`)}
    for (var c = 0u; c < parts; c++) {
      ${load('bTile', b.name, { first: 'first', end: 'columns' }, `part + ${wide}u * c`)}
      workgroupBarrier();
      ${each(rows, (r) => `var t${r} = vec4f(0);`)}
      for (var l = 0u; l < ${side}u; l++) {
        ${each(rows, (r) => `let w${r} = weights[(line + ${side * r}u) * ${pitch}u + l];`)}
        ${each(four, (j) => `let y${j} = bTile[(l + ${side * j}u) * ${pitch}u + lane];`)}
        ${each(rows, (r) => `t${r} += ${four.map((j) => `w${r}[${j}] * y${j}`).join(' + ')};`)}
      }
      ${each(rows, (r) => `${sum}[4u * c + ${r}u] = ${kept ? `${sum}[4u * c + ${r}u] * ${kept(r)}` : `${sum}[4u * c + ${r}u]`} + t${r};`)}
      workgroupBarrier();
    }`,
  join: (name, by) => `
    ${each(rows, (r) => `partials[(line + ${side * r}u) * ${side}u + lane] = ${name}_${r};`)}
    workgroupBarrier();
    ${each(rows, (r) => `${name}_${r} = partials[(line + ${side * r}u) * ${side}u];`)}
    for (var l = 1u; l < ${side}u; l++) {
      ${each(rows, (r) => `{ let x = partials[(line + ${side * r}u) * ${side}u + l]; ${name}_${r} = ${by === 'max' ? `max(${name}_${r}, x)` : `${name}_${r} + x`}; }`)}
    }
    workgroupBarrier();`,
  store: (sum, to, value) =>
    each(
      rows,
      (r) => `
  if (row_${r} < u.${to.rows}) {
    let at = ${to.name}_at(batch, head, row_${r});
    for (var c = 0u; c < parts; c++) {
      let chunk = part + ${wide}u * c + lane;
      let v = ${sum}[4u * c + ${r}u];
      if (chunk < u.chunks) { ${to.name}_store(at, chunk, ${value(r)}); }
    }
  }`,
    ),
};

/** A tile of so many rows and vectors: zeros where there are none. */
function load(
  to: string,
  name: string,
  { first, end }: { readonly first: string; readonly end: string },
  chunk: string,
): string {
  return `for (var e = index; e < ${tile * wide}u; e += ${invocations}u) {
        let row = ${first} + e / ${wide}u; let chunk = ${chunk} + e % ${wide}u;
        var value = vec4f(0);
        if (row < ${end} && chunk < u.chunks) { value = ${name}_load(${name}_at(batch, head, row), chunk); }
        ${to}[e / ${wide}u * ${pitch}u + e % ${wide}u] = value;
      }`;
}
