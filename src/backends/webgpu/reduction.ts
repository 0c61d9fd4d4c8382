// Sums and maxima of many terms: in parts, so that there is work for all of a device and no chain of roundings is long.
import type { Tensor } from '../../tensor/tensor.ts';
import type { Argument, Dispatch, Scratch } from './dispatch.ts';
import { eachItem, items } from './items.ts';

export interface Reduction extends Pick<Dispatch, 'sizes' | 'numbers'> {
  readonly reads: readonly Argument[];
  /** float32 */
  readonly output: Tensor;
  readonly outputs: number;
  /** Of each output. */
  readonly terms: number;
  /** The body of a function that returns term `j` of output `i`. */
  readonly term: string;
  readonly by?: 'sum' | 'max';
  /** What an output is, of the reduced `v`. */
  readonly result?: string;
  readonly functions?: string;
}

/** Terms of a chain, of which there are two: sums of terms, and sums of these. */
const chain = 64;
/** So few terms are one item's work: to ask for a second dispatch would take longer. */
const fewTerms = 1024;
/** A device is kept busy by so many items. */
const busy = 16_384;

/** @param depth of the sums of sums */
export function reduction(given: Reduction, depth = 0): Dispatch[] {
  const { numbers, reads, output, outputs, terms, term, by = 'sum', result = 'v', functions = '' } = given;
  const wanted = terms <= fewTerms ? 1 : Math.ceil(terms / chain);
  const parts = Math.max(1, Math.min(wanted, Math.floor(busy / outputs)));
  const first = { ...given, sizes: { ...given.sizes, terms, parts, perPart: Math.ceil(terms / parts) } };
  const made = `${functions}\nfn term(i: u32, j: u32) -> f32 { ${term} }\n${reducing(by)}`;
  const reduced =
    'reduced(i / u.parts, (i % u.parts) * u.perPart, min((i % u.parts + 1u) * u.perPart, u.terms))';
  if (parts === 1) {
    const value = `let v = ${reduced}; return ${result};`;
    return [
      items({ reads, output, value, functions: made, sizes: first.sizes, ...(numbers && { numbers }) }),
    ];
  }
  const partial: Scratch = { scratch: `partial ${depth}`, elements: outputs * parts };
  const second = reduction(
    {
      output,
      outputs,
      reads: [{ name: `partial${depth}`, operand: partial }],
      terms: parts,
      term: `return partial${depth}(i * u.terms + j);`,
      by,
      result,
    },
    depth + 1,
  );
  return [
    eachItem({
      arguments: [...reads, { name: `partial${depth}`, operand: partial, isWritten: true }],
      count: outputs * parts,
      functions: made,
      body: `set_partial${depth}(i, ${reduced});`,
      sizes: first.sizes,
      ...(numbers && { numbers }),
    }),
    ...second,
  ];
}

function reducing(by: 'sum' | 'max'): string {
  const initial = by === 'sum' ? '0.0f' : '-infinity_()';
  const join = (a: string, b: string): string =>
    by === 'sum' ? `${a} + ${b}` : `select(max(${a}, ${b}), ${a} + ${b}, isNaN_(${a}) || isNaN_(${b}))`;
  return `fn reduced(i: u32, first: u32, last: u32) -> f32 {
  var total = ${initial};
  for (var j = first; j < last;) {
    var part = ${initial};
    for (let end = min(j + ${chain}u, last); j < end; j++) { let t = term(i, j); part = ${join('part', 't')}; }
    total = ${join('total', 'part')};
  }
  return total;
}`;
}
