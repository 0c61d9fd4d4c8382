// Products by subgroup matrices, which a GPU's own units for them multiply: tiles of both factors go through memory of the workgroup, each
// subgroup makes 32 x 32 sums, and these come back through memory one matrix after the other, to become outputs. Sums are float32.
// The functions are those of Chromium's experimental extension of WGSL (Dawn, docs/dawn/features/subgroup_matrix.md; gpuweb issue 4195).
import type { Dispatch } from '../dispatch.ts';
import type { MatrixShape, Matrices } from '../matrices.ts';
import { type Factor, type Share, type Tile, elementOf, partOf, productParts } from './product.ts';
import { storeRows, whichPart } from './store.ts';

/** Rows and columns of a subgroup. */
const ofSubgroup = 32;
/** Invocations of a workgroup on every device. */
const mostInvocations = 256;
/** Between rows in memory of the workgroup: matrices begin at multiples of 16 bytes, and neighbours do not meet in one bank. */
const padding = 8;

interface Workgroup {
  /** Subgroups that multiply: there may be more, where they are smaller than they may be. */
  readonly down: number;
  readonly across: number;
  readonly invocations: number;
}

/** Invocations along x are a multiple of the largest subgroup, as subgroup matrices want it. */
function workgroupOf(largest: number): Workgroup {
  const across = Math.min(2, mostInvocations / largest);
  const down = Math.min(2, mostInvocations / largest / across);
  return { down, across, invocations: down * across * largest };
}

/** Rows and columns that a workgroup makes. */
export function matrixTile({ largest }: Pick<Matrices, 'largest'>): Tile {
  const { down, across } = workgroupOf(largest);
  return { M: ofSubgroup * down, N: ofSubgroup * across };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** @param shape one of the device's */
export function matrixProduct(
  given: Share,
  { largest }: Pick<Matrices, 'largest'>,
  shape: MatrixShape,
): Dispatch {
  const { M, N, batch = 1, parts, a, b, targets, rowSums } = given;
  const { down, across, invocations } = workgroupOf(largest);
  const tile = matrixTile({ largest });
  const { component } = shape;
  const terms = Math.max(shape.K, component === 'f16' ? 32 : 16);
  const width = N % 4 === 0 ? 4 : 1;
  const { functions, ...bound } = productParts(given, { a: 1, b: 1, output: width });
  const [is, js] = [range(ofSubgroup / shape.M), range(ofSubgroup / shape.N)];
  const sums = is.flatMap((i) => js.map((j) => ({ i, j, name: `sum${i}_${j}` })));
  const [aStride, bStride] = [tile.M + padding, tile.N + padding];
  const elements = shape.M * shape.N;
  const ofRows = (statement: string): string => (rowSums ? statement : '');
  const load = (name: 'a' | 'b', factor: Factor, extent: number): string =>
    loadTile(name, factor, { extent, terms, invocations });
  const code = `${functions}
${componentFunction[component]}
alias Left = subgroup_matrix_left<${component}, ${shape.K}, ${shape.M}>;
alias Right = subgroup_matrix_right<${component}, ${shape.N}, ${shape.K}>;
alias Result = subgroup_matrix_result<f32, ${shape.N}, ${shape.M}>;
var<workgroup> aTile: array<${component}, ${aStride * terms}>;
var<workgroup> bTile: array<${component}, ${bStride * terms}>;
var<workgroup> made: array<f32, ${down * across * elements}>;
@compute @workgroup_size(${invocations})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) index: u32, @builtin(subgroup_id) subgroup: u32) {
  ${whichPart('id')}
  let firstRow = group.y * ${tile.M}u; let firstCol = group.x * ${tile.N}u;
  let subgroupRow = subgroup / ${across}u * ${ofSubgroup}u; let subgroupCol = subgroup % ${across}u * ${ofSubgroup}u;
  ${sums.map(({ name }) => `var ${name} = Result();`).join(' ')}
  ${ofRows(`var rowTotal = array<f32, ${Math.ceil(tile.M / invocations)}>();`)}
  for (var k0 = first; k0 < last; k0 += ${terms}u) {
    ${load('a', a, tile.M)}
    ${load('b', b, tile.N)}
    workgroupBarrier();
    if (subgroup < ${down * across}u) {
      for (var k = 0u; k < ${terms}u; k += ${shape.K}u) {
        ${js.map((j) => `let right${j} = subgroupMatrixLoad<Right, row_major>(&bTile, k * ${bStride}u + subgroupCol + ${j * shape.N}u, ${bStride}u);`).join('\n        ')}
        ${is
          .map(
            (
              i,
            ) => `{ let left = subgroupMatrixLoad<Left, col_major>(&aTile, k * ${aStride}u + subgroupRow + ${i * shape.M}u, ${aStride}u);
          ${js.map((j) => `sum${i}_${j} = subgroupMatrixMultiplyAccumulate(left, right${j}, sum${i}_${j});`).join(' ')} }`,
          )
          .join('\n        ')}
      }
    }
    ${ofRows(`if (group.x == 0u) { for (var own = index; own < ${tile.M}u; own += ${invocations}u) {
      var total = 0.0f; for (var k = 0u; k < ${terms}u; k++) { total += f32(aTile[k * ${aStride}u + own]); }
      rowTotal[own / ${invocations}u] += total;
    } }`)}
    workgroupBarrier();
  }
  ${ofRows(`if (group.x == 0u) { for (var own = index; own < ${tile.M}u && firstRow + own < u.M; own += ${invocations}u) {
    set_rowSums(part * u.M + firstRow + own, rowTotal[own / ${invocations}u]);
  } }`)}
  for (var which = 0u; which < ${sums.length}u; which++) {
    if (subgroup < ${down * across}u) {
      switch (which) {
        ${sums.map(({ name }, i) => `${i === sums.length - 1 ? 'default' : `case ${i}u`}: { subgroupMatrixStore<row_major>(&made, subgroup * ${elements}u, ${name}, ${shape.N}u); }`).join('\n        ')}
      }
    }
    workgroupBarrier();
    for (var four = index; four < ${(down * across * elements) / 4}u; four += ${invocations}u) {
      let maker = four / ${elements / 4}u; let place = four % ${elements / 4}u * 4u;
      let row = firstRow + maker / ${across}u * ${ofSubgroup}u + which / ${js.length}u * ${shape.M}u + place / ${shape.N}u;
      let col = firstCol + maker % ${across}u * ${ofSubgroup}u + which % ${js.length}u * ${shape.N}u + place % ${shape.N}u;
      let begin = maker * ${elements}u + place;
      ${storeRows(
        targets,
        [
          `vec4f(${range(4)
            .map((c) => `made[begin + ${c}u]`)
            .join(', ')})`,
        ],
        { width },
      )}
    }
    workgroupBarrier();
  }
}`;
  return { ...bound, code, groups: [Math.ceil(N / tile.N), Math.ceil(M / tile.M), batch * parts] };
}

/** By bits, as WGSL's own conversion may lose infinity, and numbers below the normal ones. */
const componentFunction = {
  f32: 'fn component(x: f32) -> f32 { return x; }',
  f16: 'fn component(x: f32) -> f16 { return bitcast<vec2<f16>>(float16Bits(x)).x; }',
} as const;

interface Loaded {
  readonly extent: number;
  readonly terms: number;
  readonly invocations: number;
}

/** Invocations that are neighbours read elements that are; what lies outside of the factor is 0. */
function loadTile(name: 'a' | 'b', factor: Factor, { extent, terms, invocations }: Loaded): string {
  const [first, end] = name === 'a' ? ['firstRow', 'u.M'] : ['firstCol', 'u.N'];
  const [dk, dother] =
    factor.contiguous === 'k' ? [`at % ${terms}u`, `at / ${terms}u`] : [`at / ${extent}u`, `at % ${extent}u`];
  return `for (var at = index; at < ${extent * terms}u; at += ${invocations}u) {
      let dk = ${dk}; let dother = ${dother}; let k = k0 + dk; let other = ${first} + dother;
      var value = 0.0f;
      if (k < last && other < ${end}) { let ofK = ${partOf(name, factor, 'k', 'k')}; let ofOther = ${partOf(name, factor, 'other', 'other')};
        value = ${elementOf(name, factor, 'ofK', 'ofOther')}; }
      ${name}Tile[dk * ${extent + padding}u + dother] = component(value);
    }`;
}
