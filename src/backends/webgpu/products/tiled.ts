// Products whose factors go through memory of the workgroup: each of its 128 invocations makes 8 x 4 of 64 x 64 outputs, 16 terms at a time.
import type { Dispatch } from '../dispatch.ts';
import { type Factor, type Share, elementOf, partOf, productParts, termsOfSum } from './product.ts';
import { storeRows, whichPart } from './store.ts';

export const tileSize = { M: 64, N: 64, K: 16 } as const;
/** From one term to the next in memory of the workgroup: neighbours that write along the sum do not meet in one bank. */
const stride = 68;
const own = { M: 8, N: 4 } as const;
const [columns, rows] = [tileSize.N / own.N, tileSize.M / own.M];
const invocations = columns * rows;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

export function tiledProduct(given: Share): Dispatch {
  const { M, N, batch = 1, parts, a, b, targets, rowSums } = given;
  const width = N % 4 === 0 ? 4 : 1;
  const { functions, ...bound } = productParts(given, { a: 1, b: 1, output: width });
  const [is, js] = [range(own.M), range(own.N)];
  const ofRows = (statement: string): string => (rowSums ? statement : '');
  const vectors = range(own.M / 4);
  const code = `${functions}
var<workgroup> aTile: array<f32, ${stride * tileSize.K}>;
var<workgroup> bTile: array<f32, ${stride * tileSize.K}>;
@compute @workgroup_size(${columns}, ${rows})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_id) lane: vec3u, @builtin(local_invocation_index) index: u32) {
  ${whichPart('id')}
  let firstRow = group.y * ${tileSize.M}u; let firstCol = group.x * ${tileSize.N}u;
  ${is.map((i) => `var c${i} = vec4f(0); var t${i} = vec4f(0);`).join(' ')}
  ${ofRows(`let isFirst = group.x == 0u && lane.x == 0u; ${vectors.map((i) => `var rows${i} = vec4f(0); var rowTotal${i} = vec4f(0);`).join(' ')}`)}
  ${prepare('a', a, tileSize.M, 'firstRow')} ${prepare('b', b, tileSize.N, 'firstCol')}
  for (var k0 = first; k0 < last; k0 += ${tileSize.K}u) {
    ${loadTile('a', a, tileSize.M, 'firstRow', 'u.M')}
    ${loadTile('b', b, tileSize.N, 'firstCol', 'u.N')}
    workgroupBarrier();
    for (var k = 0u; k < ${tileSize.K}u; k++) {
      let bAt = k * ${stride}u + lane.x * ${own.N}u;
      let bs = vec4f(${js.map((j) => `bTile[bAt + ${j}u]`).join(', ')});
      let aAt = k * ${stride}u + lane.y * ${own.M}u;
      ${is.map((i) => `c${i} = fma(vec4f(aTile[aAt + ${i}u]), bs, c${i});`).join(' ')}
      ${ofRows(
        `if (isFirst) { ${vectors
          .map(
            (i) =>
              `rows${i} += vec4f(${range(4)
                .map((j) => `aTile[aAt + ${4 * i + j}u]`)
                .join(', ')});`,
          )
          .join(' ')} }`,
      )}
    }
    if ((k0 / ${tileSize.K}u) % ${termsOfSum / tileSize.K}u == ${termsOfSum / tileSize.K - 1}u) {
      ${is.map((i) => `t${i} += c${i}; c${i} = vec4f(0);`).join(' ')}
      ${ofRows(vectors.map((i) => `rowTotal${i} += rows${i}; rows${i} = vec4f(0);`).join(' '))}
    }
    workgroupBarrier();
  }
  let row = firstRow + lane.y * ${own.M}u; let col = firstCol + lane.x * ${own.N}u;
  ${ofRows(`if (isFirst) { let sums = array<vec4f, ${vectors.length}>(${vectors.map((i) => `rowTotal${i} + rows${i}`).join(', ')});
    for (var i = 0u; i < ${own.M}u && row + i < u.M; i++) { set_rowSums(part * u.M + row + i, sums[i / 4u][i % 4u]); } }`)}
  if (col >= u.N) { return; }
  ${storeRows(
    targets,
    is.map((i) => `t${i} + c${i}`),
    width,
  )}
}`;
  return { ...bound, code, groups: [Math.ceil(N / tileSize.N), Math.ceil(M / tileSize.M), batch * parts] };
}

/** What an invocation knows of its column for all terms, where its elements are of one column. */
function prepare(name: 'a' | 'b', factor: Factor, extent: number, first: string): string {
  if (factor.contiguous === 'k') return '';
  return `let ${name}Other = ${first} + index % ${extent}u; let ${name}OfOther = ${partOf(name, factor, 'other', `${name}Other`)};`;
}

/** Invocations that are neighbours read elements that are; what lies outside of the factor is 0. */
function loadTile(name: 'a' | 'b', factor: Factor, extent: number, first: string, end: string): string {
  const steps = (extent * tileSize.K) / invocations;
  const put = (isInside: string): string =>
    `var value = 0.0f; if (${isInside}) { value = ${elementOf(name, factor, 'ofK', 'ofOther')}; }
      ${name}Tile[dk * ${stride}u + dother] = value;`;
  if (factor.contiguous === 'k') {
    return `{ let dk = index % ${tileSize.K}u; let k = k0 + dk; let ofK = ${partOf(name, factor, 'k', 'k')};
    for (var step = 0u; step < ${steps}u; step++) {
      let dother = index / ${tileSize.K}u + step * ${invocations / tileSize.K}u; let other = ${first} + dother;
      let ofOther = ${partOf(name, factor, 'other', 'other')};
      ${put(`k < last && other < ${end}`)}
    } }`;
  }
  return `{ let dother = index % ${extent}u; let ofOther = ${name}OfOther;
    for (var step = 0u; step < ${steps}u; step++) {
      let dk = index / ${extent}u + step * ${invocations / extent}u; let k = k0 + dk; let ofK = ${partOf(name, factor, 'k', 'k')};
      ${put(`k < last && ${name}Other < ${end}`)}
    } }`;
}
