// Products in tiles of registers: each invocation makes 4 x 4 outputs of what it reads from memory, without barriers. Where extents allow,
// it reads vectors, four terms at a time; else term by term.
import type { Dispatch } from '../dispatch.ts';
import {
  type Factor,
  type Share,
  type Stored,
  type Tile,
  elementOf,
  isStored,
  partOf,
  productParts,
  termsOfSum,
} from './product.ts';
import { storeRows, whichPart } from './store.ts';

/** Of an invocation. */
export const ownTile: Tile = { M: 4, N: 4 };
const four = [0, 1, 2, 3];

/** @param tile of a workgroup: a multiple of that of an invocation */
export function directProduct(given: Share, tile: Tile): Dispatch {
  const [columns, rows] = [tile.N / ownTile.N, tile.M / ownTile.M];
  const { M, N, K, batch = 1, parts, a, b, targets, rowSums } = given;
  // What is looked up is looked up one by one: four terms of it make so much code that SwiftShader does not come to an end with it.
  const steps = K % 4 === 0 && isStored(a) && isStored(b) ? four : [0];
  const [fromA, fromB] = [readerOf('a', a, M, steps), readerOf('b', b, N, steps)];
  const width = N % 4 === 0 ? 4 : 1;
  const { functions, ...bound } = productParts(given, {
    a: fromA.width,
    b: fromB.width,
    output: width,
  });
  const ofRows = (statement: string): string => (rowSums ? statement : '');
  const code = `${functions}
@compute @workgroup_size(${columns}, ${rows})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  ${whichPart('id')}
  let row = group.y * ${tile.M}u + lane.y * 4u; let col = group.x * ${tile.N}u + lane.x * 4u;
  if (row >= u.M || col >= u.N) { return; }
  ${four.map((i) => `let row${i} = min(row + ${i}u, u.M - 1u); let col${i} = min(col + ${i}u, u.N - 1u); var t${i} = vec4f(0);`).join('\n  ')}
  ${fromA.prepare} ${fromB.prepare}
  ${ofRows('var rowTotals = vec4f(0);')}
  for (var k = first; k < last;) {
    ${four.map((i) => `var c${i} = vec4f(0);`).join(' ')} ${ofRows('var ofRows = vec4f(0);')}
    for (let end = min(k + ${termsOfSum}u, last); k < end; k += ${steps.length}u) {
      ${fromA.load}
      ${fromB.load}
      ${steps.map((q) => four.map((i) => `c${i} = fma(vec4f(a${q}[${i}]), b${q}, c${i});`).join(' ')).join('\n      ')}
      ${ofRows(`if (col == 0u) { ofRows += ${steps.map((q) => `a${q}`).join(' + ')}; }`)}
    }
    ${four.map((i) => `t${i} += c${i};`).join(' ')} ${ofRows('rowTotals += ofRows;')}
  }
  ${ofRows('if (col == 0u) { for (var i = 0u; i < 4u && row + i < u.M; i++) { set_rowSums(part * u.M + row + i, rowTotals[i]); } }')}
  ${storeRows(
    targets,
    four.map((i) => `t${i}`),
    { width },
  )}
}`;
  return {
    ...bound,
    code,
    groups: [Math.ceil(N / tile.N), Math.ceil(M / tile.M), batch * parts],
  };
}

const others = { a: 'row', b: 'col' } as const;

interface Reader {
  readonly width: 1 | 4;
  /** Statements before all terms. */
  readonly prepare: string;
  /** Statements that let a0 to a3 (or b0 to b3) be, of so many terms, the four rows (columns). */
  readonly load: string;
}

/** Reads vectors where each that is read lies within the factor. Rows (columns) that neighbours are not along may be any number. */
function readerOf(name: 'a' | 'b', factor: Factor, extent: number, steps: readonly number[]): Reader {
  const extents = isStored(factor)
    ? [factor.stride, factor.batchStride ?? 0, ...(factor.contiguous === 'k' ? [] : [extent])]
    : [];
  if (isStored(factor) && steps.length === 4 && extents.every((each) => each % 4 === 0))
    return vectorReader(name, factor);
  const parts = four.map(
    (i) => `let ${name}Other${i} = ${partOf(name, factor, 'other', `${others[name]}${i}`)};`,
  );
  return { width: 1, prepare: parts.join(' '), load: loadElements(name, factor, steps) };
}

function loadElements(name: 'a' | 'b', factor: Factor, steps: readonly number[]): string {
  return steps
    .map((q) => {
      const elements = four.map((i) => elementOf(name, factor, `${name}K${q}`, `${name}Other${i}`));
      return `let ${name}K${q} = ${partOf(name, factor, 'k', `(k + ${q}u)`)}; let ${name}${q} = vec4f(${elements.join(', ')});`;
    })
    .join('\n      ');
}

/** What does not change from term to term is worked out before them: not every compiler does that by itself. */
function vectorReader(name: 'a' | 'b', factor: Stored): Reader {
  const { contiguous, made } = factor;
  const isAlongTerms = contiguous === 'k';
  const load = (variable: string, vector: string, place: (c: number) => string): string => {
    if (made === undefined) return `let ${variable} = ${vector};`;
    const elements = four.map((c) => `made_${name}(${variable}_[${c}], ${place(c)}, batch)`).join(', ');
    return `let ${variable}_ = ${vector}; let ${variable} = vec4f(${elements});`;
  };
  const begin = (other: string): string => `(batch * u.${name}Batch + ${other}) / 4u`;
  const other = others[name];
  if (!isAlongTerms) {
    const prepare = `let ${name}At = ${begin(other)}; let ${name}Step = u.${name}Stride / 4u;`;
    const loads = four.map((q) =>
      load(
        `${name}${q}`,
        `${name}4(${name}At + (k + ${q}u) * ${name}Step)`,
        (c) => `k + ${q}u, ${other} + ${c}u`,
      ),
    );
    return { width: 4, prepare, load: loads.join(' ') };
  }
  const prepare = four
    .map((i) => `let ${name}At${i} = ${begin(`${other}${i} * u.${name}Stride`)};`)
    .join(' ');
  const loads = four.map((i) =>
    load(`${name}Of${i}`, `${name}4(${name}At${i} + k / 4u)`, (c) => `k + ${c}u, ${other}${i}`),
  );
  const turned = four.map(
    (q) => `let ${name}${q} = vec4f(${four.map((i) => `${name}Of${i}[${q}]`).join(', ')});`,
  );
  return { width: 4, prepare, load: [...loads, ...turned].join(' ') };
}
