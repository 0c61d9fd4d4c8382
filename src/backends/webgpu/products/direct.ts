// Products in tiles of registers: each invocation makes 8 x 8 outputs, or 4 x 4, of what it reads from memory, without barriers. Where
// extents allow, it reads vectors, four terms at a time; else term by term.
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

const four = [0, 1, 2, 3];
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** @param tile of a workgroup: a multiple of that of an invocation, `own`, which is made of whole vectors */
export function directProduct(given: Share, tile: Tile, own: Tile): Dispatch {
  const { M, N, K, batch = 1, parts, a, b, targets, rowSums } = given;
  // What is looked up is looked up one by one: four terms of it make so much code that SwiftShader does not come to an end with it.
  const steps = K % 4 === 0 && isStored(a) && isStored(b) ? four : [0];
  const [fromA, fromB] = [
    readerOf('a', a, { extent: M, own: own.M, steps }),
    readerOf('b', b, { extent: N, own: own.N, steps }),
  ];
  const width = N % 4 === 0 ? 4 : 1;
  const { functions, ...bound } = productParts(given, {
    a: fromA.width,
    b: fromB.width,
    output: width,
  });
  const ofRows = (statement: string): string => (rowSums ? statement : '');
  const [is, rowVectors, vectors] = [range(own.M), range(own.M / 4), range(own.N / 4)];
  const eachSum = (text: (sum: string, i: number, g: number) => string): string =>
    is.map((i) => vectors.map((g) => text(`${i}_${g}`, i, g)).join(' ')).join('\n      ');
  const code = `${functions}
@compute @workgroup_size(${tile.N / own.N}, ${tile.M / own.M})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  ${whichPart('id')}
  let row = group.y * ${tile.M}u + lane.y * ${own.M}u; let col = group.x * ${tile.N}u + lane.x * ${own.N}u;
  if (row >= u.M || col >= u.N) { return; }
  ${eachSum((sum) => `var t${sum} = vec4f(0);`)}
  ${fromA.prepare} ${fromB.prepare}
  ${ofRows(rowVectors.map((g) => `var rowTotals${g} = vec4f(0);`).join(' '))}
  for (var k = first; k < last;) {
    ${eachSum((sum) => `var c${sum} = vec4f(0);`)}
    ${ofRows(rowVectors.map((g) => `var ofRows${g} = vec4f(0);`).join(' '))}
    for (let end = min(k + ${termsOfSum}u, last); k < end; k += ${steps.length}u) {
      ${fromA.load}
      ${fromB.load}
      ${steps.map((q) => eachSum((sum, i, g) => `c${sum} = fma(vec4f(a${q}_${Math.floor(i / 4)}[${i % 4}]), b${q}_${g}, c${sum});`)).join('\n      ')}
      ${ofRows(`if (col == 0u) { ${rowVectors.map((g) => `ofRows${g} += ${steps.map((q) => `a${q}_${g}`).join(' + ')};`).join(' ')} }`)}
    }
    ${eachSum((sum) => `t${sum} += c${sum};`)} ${ofRows(rowVectors.map((g) => `rowTotals${g} += ofRows${g};`).join(' '))}
  }
  ${ofRows(`if (col == 0u) { let sums = array<vec4f, ${rowVectors.length}>(${rowVectors.map((g) => `rowTotals${g}`).join(', ')});
    for (var i = 0u; i < ${own.M}u && row + i < u.M; i++) { set_rowSums(part * u.M + row + i, sums[i / 4u][i % 4u]); } }`)}
  ${storeRows(
    targets,
    is.flatMap((i) => vectors.map((g) => `t${i}_${g}`)),
    { width, vectors: vectors.length, apart: 4 },
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
  /** Statements that let NAMEq_g be, of term q, the vector g of the tile's rows (columns). */
  readonly load: string;
}

interface Wanted {
  /** Of all rows (columns). */
  readonly extent: number;
  /** Of them, those of the tile. */
  readonly own: number;
  /** The terms that are read at once. */
  readonly steps: readonly number[];
}

/** Reads vectors where each that is read lies within the factor. Rows (columns) that neighbours are not along may be any number. */
function readerOf(name: 'a' | 'b', factor: Factor, wanted: Wanted): Reader {
  const { extent, own, steps } = wanted;
  const extents = isStored(factor)
    ? [factor.stride, factor.batchStride ?? 0, ...(factor.contiguous === 'k' ? [] : [extent])]
    : [];
  if (isStored(factor) && steps.length === 4 && extents.every((each) => each % 4 === 0))
    return vectorReader(name, factor, own);
  const parts = placesOf(name, own).map(
    (place, i) => `let ${name}Other${i} = ${partOf(name, factor, 'other', place)};`,
  );
  return { width: 1, prepare: parts.join(' '), load: loadElements(name, factor, wanted) };
}

/** Rows (columns) of the tile: beyond the end there is the last one again. */
function placesOf(name: 'a' | 'b', own: number): string[] {
  return range(own).map((i) => `min(${others[name]} + ${i}u, u.${name === 'a' ? 'M' : 'N'} - 1u)`);
}

function loadElements(name: 'a' | 'b', factor: Factor, { own, steps }: Wanted): string {
  const vector = (q: number, g: number): string => {
    const elements = four.map((i) => elementOf(name, factor, `${name}K${q}`, `${name}Other${4 * g + i}`));
    return `let ${name}${q}_${g} = vec4f(${elements.join(', ')});`;
  };
  return steps
    .map((q) => {
      const ofTerm = `let ${name}K${q} = ${partOf(name, factor, 'k', `(k + ${q}u)`)};`;
      return `${ofTerm} ${range(own / 4)
        .map((g) => vector(q, g))
        .join(' ')}`;
    })
    .join('\n      ');
}

/** What does not change from term to term is worked out before them: not every compiler does that by itself. */
function vectorReader(name: 'a' | 'b', factor: Stored, own: number): Reader {
  const { contiguous, made } = factor;
  const load = (variable: string, vector: string, place: (c: number) => string): string => {
    if (made === undefined) return `let ${variable} = ${vector};`;
    const elements = four.map((c) => `made_${name}(${variable}_[${c}], ${place(c)}, batch)`).join(', ');
    return `let ${variable}_ = ${vector}; let ${variable} = vec4f(${elements});`;
  };
  const begin = (other: string): string => `(batch * u.${name}Batch + ${other}) / 4u`;
  const vectors = range(own / 4);
  if (contiguous === 'other') {
    const end = `u.${name === 'a' ? 'M' : 'N'} - 4u`;
    const places = vectors.map(
      (g) =>
        `let ${name}Other${g} = min(${others[name]} + ${4 * g}u, ${end}); let ${name}At${g} = ${begin(`${name}Other${g}`)};`,
    );
    const loads = four.flatMap((q) =>
      vectors.map((g) =>
        load(
          `${name}${q}_${g}`,
          `${name}4(${name}At${g} + (k + ${q}u) * ${name}Step)`,
          (c) => `k + ${q}u, ${name}Other${g} + ${c}u`,
        ),
      ),
    );
    const prepare = `${places.join(' ')} let ${name}Step = u.${name}Stride / 4u;`;
    return { width: 4, prepare, load: loads.join(' ') };
  }
  const places = placesOf(name, own).map(
    (place, i) =>
      `let ${name}Other${i} = ${place}; let ${name}At${i} = ${begin(`${name}Other${i} * u.${name}Stride`)};`,
  );
  const loads = range(own).map((i) =>
    load(`${name}Of${i}`, `${name}4(${name}At${i} + k / 4u)`, (c) => `k + ${c}u, ${name}Other${i}`),
  );
  const turned = four.flatMap((q) =>
    vectors.map(
      (g) => `let ${name}${q}_${g} = vec4f(${four.map((i) => `${name}Of${4 * g + i}[${q}]`).join(', ')});`,
    ),
  );
  return { width: 4, prepare: places.join(' '), load: [...loads, ...turned].join(' ') };
}
