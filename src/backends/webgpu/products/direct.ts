// Products in tiles of registers: each invocation makes 4 x 4 outputs of vectors that it reads from memory, without barriers.
import type { Dispatch } from '../dispatch.ts';
import { type Factor, type Product, factorIndex, productParts, termsOfSum } from './product.ts';

const [columns, rows] = [4, 8];
const four = [0, 1, 2, 3];

export function directProduct(given: Product): Dispatch {
  const { M, N, batch = 1, a, b, outputs } = given;
  const { functions, ...parts } = productParts(given, { factor: 4, output: 4 });
  const code = `${functions}
@compute @workgroup_size(${columns}, ${rows})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y * 4u; let col = id.x * 4u; let batch = id.z;
  if (row >= u.M || col >= u.N) { return; }
  ${four.map((i) => `let row${i} = min(row + ${i}u, u.M - 1u); var t${i} = vec4f(0);`).join(' ')}
  for (var k = 0u; k < u.K;) {
    ${four.map((i) => `var c${i} = vec4f(0);`).join(' ')}
    for (let end = min(k + ${termsOfSum}u, u.K); k < end; k += 4u) {
      ${loadA(a)}
      ${loadB(b)}
      ${four.flatMap((q) => four.map((i) => `c${i} = fma(vec4f(${elementOfA(a, i, q)}), b${q}, c${i});`)).join(' ')}
    }
    ${four.map((i) => `t${i} += c${i};`).join(' ')}
  }
  ${four.map((i) => `if (row + ${i}u < u.M) { ${outputs.map(({ name }) => store(name, i)).join(' ')} }`).join('\n  ')}
}`;
  const groups = [Math.ceil(N / 4 / columns), Math.ceil(M / 4 / rows), batch] as const;
  return { ...parts, code, groups };
}

function store(name: string, i: number): string {
  const values = four.map((j) => `${name}_value(t${i}[${j}], row + ${i}u, col + ${j}u, batch)`);
  return `set4_${name}(((batch * u.M + row + ${i}u) * u.N + col) / 4u, vec4f(${values.join(', ')}));`;
}

/** Four rows, each of four terms; or four terms, each of four rows. */
function loadA(a: Factor): string {
  const load = (i: number): string => {
    const [k, row] = a.contiguous === 'k' ? ['k', `row${i}`] : [`(k + ${i}u)`, 'row'];
    return loadVector(`a${i}`, 'a', a, { k, other: row });
  };
  return four.map(load).join(' ');
}

const elementOfA = ({ contiguous }: Factor, i: number, q: number): string =>
  contiguous === 'k' ? `a${i}[${q}]` : `a${q}[${i}]`;

/** b0 to b3: of four terms the four columns. */
function loadB(b: Factor): string {
  const load = (name: string, k: string, other: string): string => loadVector(name, 'b', b, { k, other });
  if (b.contiguous === 'other') return four.map((q) => load(`b${q}`, `(k + ${q}u)`, 'col')).join(' ');
  const transposed = four.map((q) => `let b${q} = vec4f(${four.map((j) => `n${j}[${q}]`).join(', ')});`);
  return [...four.map((j) => load(`n${j}`, 'k', `(col + ${j}u)`)), ...transposed].join(' ');
}

/** Statements that let `variable` be four neighbours of a factor, or what is made of them. */
function loadVector(
  variable: string,
  name: 'a' | 'b',
  factor: Factor,
  { k, other }: { readonly k: string; readonly other: string },
): string {
  const vector = `${name}4((${factorIndex(name, factor, k, other)}) / 4u)`;
  if (factor.made === undefined) return `let ${variable} = ${vector};`;
  const place = (c: number): string =>
    factor.contiguous === 'k' ? `${k} + ${c}u, ${other}` : `${k}, ${other} + ${c}u`;
  const made = four.map((c) => `made_${name}(${variable}_[${c}], ${place(c)}, batch)`).join(', ');
  return `let ${variable}_ = ${vector}; let ${variable} = vec4f(${made});`;
}
