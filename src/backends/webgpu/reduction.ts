// Sums and maxima of many terms: in parts, so that there is work for all of a device and no chain of roundings is long.
import { type Argument, type Dispatch, type Operand, type Scratch, groupsOf } from './dispatch.ts';
import { eachItem } from './items.ts';
import { type Lanes, throughMemory, throughSubgroups } from './lanes.ts';
import { type Join, chain, reducing } from './reducing.ts';

/** What is reduced of the terms. */
export interface Total {
  /** In float32. */
  readonly output: Operand;
  /** The body of a function that returns term `j` of output `i`. */
  readonly term: string;
  /** What an output is, of the reduced `v`. */
  readonly result?: string;
}

export interface Reductions extends Pick<Dispatch, 'sizes' | 'numbers'> {
  readonly reads: readonly Argument[];
  /** Elements of each output; `u.outputs`, as `u.terms` is those of each. */
  readonly outputs: number;
  /** Of each element. */
  readonly terms: number;
  /** Each by itself; their terms are read in one pass. */
  readonly totals: readonly Total[];
  readonly by?: Join;
  /** Which lie next to each other in memory, and go to neighbouring invocations: one term of many outputs, or terms of one output. */
  readonly neighbours?: 'outputs' | 'terms';
  /** Invocations that may share an output; 1 by default. */
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

/** Of a workgroup whose lanes share outputs that are neighbours. */
const wide = { columns: 32, lanes: 8 } as const;

export function reduction({ output, term, result = 'v', ...shared }: Reduction): Dispatch[] {
  return reductions({ ...shared, totals: [{ output, term, result }] });
}

/** @param depth of the sums of sums */
export function reductions(given: Reductions, depth = 0): Dispatch[] {
  const { outputs, terms, totals, neighbours = 'outputs', lanes = 1 } = given;
  const grid = neighbours === 'outputs' && outputs >= wide.columns ? wide : { columns: 1, lanes };
  const isShort = terms <= 2 * chain * grid.lanes;
  if (lanes > 1 && terms >= 2 * grid.lanes && (depth > 0 || isShort || outputs * grid.lanes >= busy))
    return [sharing(given, grid)];
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

const totalsIn = (targets: readonly Operand[]): Argument[] =>
  targets.map((operand, k) => ({ name: `total${k}`, operand, isWritten: true }));

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
    arguments: [...reads, ...totalsIn(targets)],
    count: outputs * parts,
    functions: termFunctions(given),
    body: `${place}\n  ${reduced}\n  ${results.join(' ')}`,
    sizes: { ...sizes, outputs, terms, parts },
    numbers,
  });
}

/** A workgroup has some neighbouring outputs, and lanes for each of them. */
function sharing(given: Reductions, { columns, lanes }: { columns: number; lanes: number }): Dispatch {
  const { reads, outputs, terms, totals, by = 'sum', sizes = {}, numbers = {} } = given;
  const names = totals.map((_, k) => `v${k}`);
  const own = reducing(
    names.map((name, k) => ({ name, term: `term${k}(i, j)`, by })),
    { index: 'j', first: 'lane', end: 'end', step: `${lanes}u` },
  );
  const results = (way: Lanes): string[] =>
    totals.map(({ result = 'v' }, k) => `{ let v = ${way.joinedOf(`v${k}`)}; set_total${k}(i, ${result}); }`);
  const codeOf = (way: Lanes): string => `${termFunctions(given)}
${way.memory(names)}
@compute @workgroup_size(${columns * lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32${way.parameters}) {
  let i = groupIndex(group, groups) * ${columns}u + index % ${columns}u; let lane = index / ${columns}u;
  let end = select(0u, u.terms, i < u.outputs);
  ${own}
  ${way.join(names.map((name) => ({ name, from: name, by })))}
  if (lane == 0u && i < u.outputs) { ${results(way).join(' ')} }
}`;
  return {
    code: codeOf(throughMemory(lanes, columns)),
    // Lanes of one of several columns are strewn over subgroups.
    ...(columns === 1 && { bySubgroups: { lanes, code: codeOf(throughSubgroups(lanes)) } }),
    arguments: [...reads, ...totalsIn(totals.map(({ output }) => output))],
    sizes: { ...sizes, outputs, terms },
    numbers,
    groups: groupsOf(Math.ceil(outputs / columns)),
  };
}
