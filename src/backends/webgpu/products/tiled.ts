// Products whose factors go through memory of the workgroup: each of its 128 invocations makes 8 x 4 of 64 x 64 outputs, 16 terms at a time.
import type { Dispatch } from '../dispatch.ts';
import { type Factor, type Product, factorIndex, productParts, termsOfSum } from './product.ts';

const tile = { M: 64, N: 64, K: 16 } as const;
const own = { M: 8, N: 4 } as const;
const [columns, rows] = [tile.N / own.N, tile.M / own.M];
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

export function tiledProduct(given: Product): Dispatch {
  const { M, N, batch = 1, a, b, outputs } = given;
  const width = N % 4 === 0 ? 4 : 1;
  const { functions, ...parts } = productParts(given, { factor: 1, output: width });
  const [is, js] = [range(own.M), range(own.N)];
  const code = `${functions}
var<workgroup> aTile: array<f32, ${tile.M * tile.K}>;
var<workgroup> bTile: array<f32, ${tile.N * tile.K}>;
@compute @workgroup_size(${columns}, ${rows})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) lane: vec3u, @builtin(local_invocation_index) index: u32) {
  let firstRow = group.y * ${tile.M}u; let firstCol = group.x * ${tile.N}u; let batch = group.z;
  ${is.map((i) => `var c${i} = vec4f(0); var t${i} = vec4f(0);`).join(' ')}
  for (var k0 = 0u; k0 < u.K; k0 += ${tile.K}u) {
    ${loadTile('a', a, tile.M, 'firstRow', 'u.M')}
    ${loadTile('b', b, tile.N, 'firstCol', 'u.N')}
    workgroupBarrier();
    for (var k = 0u; k < ${tile.K}u; k++) {
      let bAt = k * ${tile.N}u + lane.x * ${own.N}u;
      let bs = vec4f(${js.map((j) => `bTile[bAt + ${j}u]`).join(', ')});
      let aAt = k * ${tile.M}u + lane.y * ${own.M}u;
      ${is.map((i) => `c${i} = fma(vec4f(aTile[aAt + ${i}u]), bs, c${i});`).join(' ')}
    }
    if ((k0 / ${tile.K}u) % ${termsOfSum / tile.K}u == ${termsOfSum / tile.K - 1}u) {
      ${is.map((i) => `t${i} += c${i}; c${i} = vec4f(0);`).join(' ')}
    }
    workgroupBarrier();
  }
  let row = firstRow + lane.y * ${own.M}u; let col = firstCol + lane.x * ${own.N}u;
  if (col >= u.N) { return; }
  ${is.map((i) => `if (row + ${i}u < u.M) { let v = t${i} + c${i}; ${outputs.map(({ name }) => store(name, i, width)).join(' ')} }`).join('\n  ')}
}`;
  return { ...parts, code, groups: [Math.ceil(N / tile.N), Math.ceil(M / tile.M), batch] };
}

function store(name: string, i: number, width: 1 | 4): string {
  const at = `(batch * u.M + row + ${i}u) * u.N + col`;
  const values = range(own.N).map((j) => `${name}_value(v[${j}], row + ${i}u, col + ${j}u, batch)`);
  if (width === 4) return `set4_${name}((${at}) / 4u, vec4f(${values.join(', ')}));`;
  return values
    .map((value, j) => `if (col + ${j}u < u.N) { set_${name}(${at} + ${j}u, ${value}); }`)
    .join(' ');
}

/** Invocations that are neighbours read elements that are; what lies outside of the factor is 0. */
function loadTile(name: 'a' | 'b', factor: Factor, extent: number, first: string, end: string): string {
  const split =
    factor.contiguous === 'k'
      ? `let dk = e % ${tile.K}u; let dother = e / ${tile.K}u;`
      : `let dother = e % ${extent}u; let dk = e / ${extent}u;`;
  const value = `made_${name}(${name}(${factorIndex(name, factor, 'k', 'other')}), k, other, batch)`;
  return `for (var e = index; e < ${extent * tile.K}u; e += ${columns * rows}u) {
      ${split} let k = k0 + dk; let other = ${first} + dother;
      var value = 0.0f; if (k < u.K && other < ${end}) { value = ${value}; }
      ${name}Tile[dk * ${extent}u + dother] = value;
    }`;
}
