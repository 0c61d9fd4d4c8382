// Products whose factors go through memory of the workgroup, 16 terms at a time. Each invocation makes some rows of one or two vectors; where they
// are two, these lie as far apart as all invocations of a row reach, so that neighbours read neighbours.
import type { Dispatch } from '../dispatch.ts';
import {
  type Factor,
  type Share,
  type Tile,
  elementOf,
  partOf,
  productParts,
  termsOfSum,
} from './product.ts';
import { storeRows, whichPart } from './store.ts';

/** Rows and columns of an invocation. */
export interface Invocation {
  readonly M: 4 | 8;
  readonly N: 4 | 8;
}

const terms = 16;
/** From one term to the next in memory of the workgroup: neighbours that write along the sum do not meet in one bank. */
const strideOf = (extent: number): number => extent + 4;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** @param tile of a workgroup: of at most 256 invocations */
export function tiledProduct(given: Share, tile: Tile, own: Invocation): Dispatch {
  const { M, N, batch = 1, parts, a, b, targets, rowSums } = given;
  const [columns, rows] = [tile.N / own.N, tile.M / own.M];
  const invocations = columns * rows;
  const width = N % 4 === 0 ? 4 : 1;
  const { functions, ...bound } = productParts(given, { a: 1, b: 1, output: width });
  const [is, js, vs] = [range(own.M), range(4), range(own.N / 4)];
  const apart = 4 * columns;
  const sums = is.flatMap((i) => vs.map((v) => `${i}_${v}`));
  const ofRows = (statement: string): string => (rowSums ? statement : '');
  const vectors = range(own.M / 4);
  const code = `${functions}
var<workgroup> aTile: array<f32, ${strideOf(tile.M) * terms}>;
var<workgroup> bTile: array<f32, ${strideOf(tile.N) * terms}>;
@compute @workgroup_size(${columns}, ${rows})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_id) lane: vec3u, @builtin(local_invocation_index) index: u32) {
  ${whichPart('id')}
  let firstRow = group.y * ${tile.M}u; let firstCol = group.x * ${tile.N}u;
  ${sums.map((i) => `var c${i} = vec4f(0); var t${i} = vec4f(0);`).join(' ')}
  ${ofRows(`let isFirst = group.x == 0u && lane.x == 0u; ${vectors.map((i) => `var rows${i} = vec4f(0); var rowTotal${i} = vec4f(0);`).join(' ')}`)}
  ${prepare('a', a, tile.M, 'firstRow')} ${prepare('b', b, tile.N, 'firstCol')}
  for (var k0 = first; k0 < last; k0 += ${terms}u) {
    ${loadTile('a', a, { extent: tile.M, invocations, first: 'firstRow', end: 'u.M' })}
    ${loadTile('b', b, { extent: tile.N, invocations, first: 'firstCol', end: 'u.N' })}
    workgroupBarrier();
    for (var k = 0u; k < ${terms}u; k++) {
      let bAt = k * ${strideOf(tile.N)}u + lane.x * 4u;
      ${vs.map((v) => `let bs${v} = vec4f(${js.map((j) => `bTile[bAt + ${v * apart + j}u]`).join(', ')});`).join(' ')}
      let aAt = k * ${strideOf(tile.M)}u + lane.y * ${own.M}u;
      ${is.map((i) => `let a${i} = vec4f(aTile[aAt + ${i}u]); ${vs.map((v) => `c${i}_${v} = fma(a${i}, bs${v}, c${i}_${v});`).join(' ')}`).join(' ')}
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
    if ((k0 / ${terms}u) % ${termsOfSum / terms}u == ${termsOfSum / terms - 1}u) {
      ${sums.map((i) => `t${i} += c${i}; c${i} = vec4f(0);`).join(' ')}
      ${ofRows(vectors.map((i) => `rowTotal${i} += rows${i}; rows${i} = vec4f(0);`).join(' '))}
    }
    workgroupBarrier();
  }
  let row = firstRow + lane.y * ${own.M}u; let col = firstCol + lane.x * 4u;
  ${ofRows(`if (isFirst) { let sums = array<vec4f, ${vectors.length}>(${vectors.map((i) => `rowTotal${i} + rows${i}`).join(', ')});
    for (var i = 0u; i < ${own.M}u && row + i < u.M; i++) { set_rowSums(part * u.M + row + i, sums[i / 4u][i % 4u]); } }`)}
  ${storeRows(
    targets,
    sums.map((i) => `t${i} + c${i}`),
    { width, vectors: vs.length, apart },
  )}
}`;
  return { ...bound, code, groups: [Math.ceil(N / tile.N), Math.ceil(M / tile.M), batch * parts] };
}

/** What an invocation knows of its column for all terms, where its elements are of one column. */
function prepare(name: 'a' | 'b', factor: Factor, extent: number, first: string): string {
  if (factor.contiguous === 'k') return '';
  return `let ${name}Other = ${first} + index % ${extent}u; let ${name}OfOther = ${partOf(name, factor, 'other', `${name}Other`)};`;
}

/** The part of a factor that a workgroup has of some terms. */
interface Loaded {
  /** Rows of a, or columns of b. */
  readonly extent: number;
  readonly invocations: number;
  /** Expressions of the first of them, and of how many the factor has. */
  readonly first: string;
  readonly end: string;
}

/** Invocations that are neighbours read elements that are; what lies outside of the factor is 0. */
function loadTile(name: 'a' | 'b', factor: Factor, { extent, invocations, first, end }: Loaded): string {
  const steps = (extent * terms) / invocations;
  const put = (isInside: string): string =>
    `var value = 0.0f; if (${isInside}) { value = ${elementOf(name, factor, 'ofK', 'ofOther')}; }
      ${name}Tile[dk * ${strideOf(extent)}u + dother] = value;`;
  if (factor.contiguous === 'k') {
    return `{ let dk = index % ${terms}u; let k = k0 + dk; let ofK = ${partOf(name, factor, 'k', 'k')};
    for (var step = 0u; step < ${steps}u; step++) {
      let dother = index / ${terms}u + step * ${invocations / terms}u; let other = ${first} + dother;
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
