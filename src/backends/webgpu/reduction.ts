// Sums and maxima of many terms: in parts, so that there is work for all of a device and no chain of roundings is long.
import type { Argument, Dispatch, Operand, Scratch } from './dispatch.ts';
import { eachItem } from './items.ts';
import { type Join, chain, reducing } from './reducing.ts';
import { rowsTogether } from './rows/together.ts';

/** What is reduced of the terms. */
export interface Total {
  /** In float32. */
  readonly output: Operand;
  /** The body of a function that returns term `j` of output `i`. */
  readonly term: string;
  /** What an output is, of the reduced `v`. */
  readonly result?: string;
}

/** Names of its own sizes: `outputs`, `terms`, `parts`, `rows` and `width`, the last of which are others in results. */
export interface Reductions extends Pick<Dispatch, 'sizes' | 'numbers'> {
  readonly reads: readonly Argument[];
  /** Elements of each output. */
  readonly outputs: number;
  /** Of each element. */
  readonly terms: number;
  /** Each by itself; their terms are read in one pass. */
  readonly totals: readonly Total[];
  readonly by?: Join;
  /** Which lie next to each other in memory, and go to neighbouring invocations: one term of many outputs, or terms of one output. */
  readonly neighbours?: 'outputs' | 'terms';
  /** Invocations that may share an output whose terms are neighbours; 1 by default. */
  readonly lanes?: number;
  readonly functions?: string;
}

export type Reduction = Omit<Reductions, 'totals'> & Total;

/** So few terms are one item's work: to ask for a second dispatch would take longer. */
const fewTerms = 1024;
/** A device is kept busy by so many invocations. */
export const busy = 16_384;
/** Invocations that read one output's terms together where these are neighbours, be there others enough. */
const together = 32;

export function reduction({ output, term, result = 'v', ...shared }: Reduction): Dispatch[] {
  return reductions({ ...shared, totals: [{ output, term, result }] });
}

/** @param depth of the sums of sums */
export function reductions(given: Reductions, depth = 0): Dispatch[] {
  const { outputs, terms, totals, neighbours = 'outputs', lanes = 1 } = given;
  const canShare = neighbours === 'terms' && lanes > 1 && terms >= lanes;
  if (canShare && (depth > 0 || terms <= lanes * chain || outputs * lanes >= busy))
    return [sharing(given, lanes)];
  const wanted = terms <= fewTerms ? 1 : Math.ceil(terms / chain);
  const most = Math.max(neighbours === 'terms' ? together : 1, Math.floor(busy / Math.max(1, outputs)));
  const parts = Math.max(1, Math.min(wanted, most));
  if (parts === 1) return [inParts(given, { parts, targets: totals.map(({ output }) => output) })];
  const partials = totals.map((_, k): Scratch => ({
    scratch: `partial ${k} ${depth}`,
    elements: outputs * parts,
  }));
  const place = neighbours === 'terms' ? 'i * u.terms + j' : 'j * u.outputs + i';
  const ofParts = {
    ...given,
    functions: '',
    reads: partials.map((operand, k) => ({ name: `partial${k}`, operand })),
    terms: parts,
    totals: totals.map((total, k) => ({ ...total, term: `return partial${k}(${place});` })),
  };
  return [inParts(given, { parts, targets: partials }), ...reductions(ofParts, depth + 1)];
}

const termFunctions = ({ totals, functions = '' }: Reductions): string =>
  [functions, ...totals.map(({ term }, k) => `fn term${k}(i: u32, j: u32) -> f32 { ${term} }`)].join('\n');

/** An invocation for each part of each output. A part takes every so many-th term, so that neighbours are read by neighbours. */
function inParts(
  given: Reductions,
  { parts, targets }: { readonly parts: number; readonly targets: readonly Operand[] },
): Dispatch {
  const {
    reads,
    outputs,
    terms,
    totals,
    by = 'sum',
    neighbours = 'outputs',
    sizes = {},
    numbers = {},
  } = given;
  const place =
    neighbours === 'terms'
      ? 'let output = i / u.parts; let part = i % u.parts;'
      : 'let output = i % u.outputs; let part = i / u.outputs;';
  const reduced = reducing(
    totals.map((_, k) => ({ name: `v${k}`, term: `term${k}(output, j)`, by })),
    { index: 'j', first: 'part', end: 'u.terms', step: 'u.parts' },
  );
  const results = totals.map(
    ({ result = 'v' }, k) => `{ let v = v${k}; set_total${k}(i, ${parts === 1 ? result : 'v'}); }`,
  );
  return eachItem({
    arguments: [
      ...reads,
      ...targets.map((operand, k): Argument => ({ name: `total${k}`, operand, isWritten: true })),
    ],
    count: outputs * parts,
    functions: termFunctions(given),
    body: `${place}\n  ${reduced}\n  ${results.join(' ')}`,
    sizes: { ...sizes, outputs, terms, parts },
    numbers,
  });
}

/** A workgroup for each output. */
function sharing(given: Reductions, lanes: number): Dispatch {
  const { reads, outputs, terms, totals, by = 'sum', sizes = {}, numbers = {} } = given;
  return rowsTogether(
    {
      rows: outputs,
      width: terms,
      reads,
      passes: [
        {
          totals: totals.map(({ result = 'v' }, k) => ({
            name: `v${k}`,
            term: `term${k}(row, col)`,
            by,
            result,
          })),
        },
      ],
      ofRows: totals.map(({ output }, k) => ({ name: `total${k}`, operand: output, value: `v${k}` })),
      functions: termFunctions(given),
      sizes: { ...sizes, outputs, terms },
      numbers,
    },
    lanes,
  );
}
