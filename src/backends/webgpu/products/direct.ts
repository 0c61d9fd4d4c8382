// Products in tiles of registers: each invocation makes 4 x 4 outputs of what it reads from memory, without barriers. Where extents allow,
// it reads vectors, four terms at a time; else term by term.
import type { Dispatch } from '../dispatch.ts';
import {
  type Factor,
  type Share,
  type Stored,
  elementOf,
  isStored,
  partOf,
  placeOf,
  productParts,
  termsOfSum,
} from './product.ts';
import { storeRows, whichPart } from './store.ts';

const [columns, rows] = [4, 8];
/** Of an invocation. */
export const ownTile: { readonly M: number; readonly N: number } = { M: 4, N: 4 };
/** Of a workgroup. */
export const directTile: { readonly M: number; readonly N: number } = { M: 4 * rows, N: 4 * columns };
const four = [0, 1, 2, 3];

export function directProduct(given: Share): Dispatch {
  const { M, N, K, batch = 1, parts, a, b, targets } = given;
  // What is looked up is looked up one by one: four terms of it make so much code that SwiftShader does not come to an end with it.
  const steps = K % 4 === 0 && isStored(a) && isStored(b) ? four : [0];
  const [fromA, fromB] = [readerOf('a', a, M, steps), readerOf('b', b, N, steps)];
  const width = N % 4 === 0 ? 4 : 1;
  const { functions, ...bound } = productParts(given, {
    a: fromA.width,
    b: fromB.width,
    output: width,
  });
  const code = `${functions}
@compute @workgroup_size(${columns}, ${rows})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  ${whichPart('id')}
  let row = group.y * ${directTile.M}u + lane.y * 4u; let col = group.x * ${directTile.N}u + lane.x * 4u;
  if (row >= u.M || col >= u.N) { return; }
  ${four.map((i) => `let row${i} = min(row + ${i}u, u.M - 1u); let col${i} = min(col + ${i}u, u.N - 1u); var t${i} = vec4f(0);`).join('\n  ')}
  ${fromA.prepare} ${fromB.prepare}
  for (var k = first; k < last;) {
    ${four.map((i) => `var c${i} = vec4f(0);`).join(' ')}
    for (let end = min(k + ${termsOfSum}u, last); k < end; k += ${steps.length}u) {
      ${fromA.load}
      ${fromB.load}
      ${steps.map((q) => four.map((i) => `c${i} = fma(vec4f(a${q}[${i}]), b${q}, c${i});`).join(' ')).join('\n      ')}
    }
    ${four.map((i) => `t${i} += c${i};`).join(' ')}
  }
  ${storeRows(
    targets,
    four.map((i) => `t${i}`),
    width,
  )}
}`;
  return {
    ...bound,
    code,
    groups: [Math.ceil(N / directTile.N), Math.ceil(M / directTile.M), batch * parts],
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
    return { width: 4, prepare: '', load: loadVectors(name, factor) };
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

function loadVectors(name: 'a' | 'b', factor: Stored): string {
  const load = (variable: string, k: string, other: string): string => {
    const vector = `${name}4((${placeOf(name, factor, k, other)}) / 4u)`;
    if (factor.made === undefined) return `let ${variable} = ${vector};`;
    const place = (c: number): string =>
      factor.contiguous === 'k' ? `${k} + ${c}u, ${other}` : `${k}, ${other} + ${c}u`;
    const made = four.map((c) => `made_${name}(${variable}_[${c}], ${place(c)}, batch)`).join(', ');
    return `let ${variable}_ = ${vector}; let ${variable} = vec4f(${made});`;
  };
  if (factor.contiguous === 'other')
    return four.map((q) => load(`${name}${q}`, `(k + ${q}u)`, others[name])).join(' ');
  const turned = four.map(
    (q) => `let ${name}${q} = vec4f(${four.map((i) => `${name}Of${i}[${q}]`).join(', ')});`,
  );
  return [...four.map((i) => load(`${name}Of${i}`, 'k', `${others[name]}${i}`)), ...turned].join(' ');
}
