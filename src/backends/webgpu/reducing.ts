// Loops that reduce terms, and how two of them are joined.

export type Join = 'sum' | 'max';

/** Terms of a chain, of which there are two: sums of terms, and sums of these. */
export const chain = 64;

/** An expression of two reduced values together. WGSL's max does not let NaN through: the sum of both does. */
export function joined(by: Join, a: string, b: string): string {
  return by === 'sum' ? `${a} + ${b}` : `select(max(${a}, ${b}), ${a} + ${b}, isNaN_(${a}) || isNaN_(${b}))`;
}

export function initial(by: Join): string {
  return by === 'sum' ? '0.0f' : '-infinity_()';
}

interface Reduced {
  readonly name: string;
  /** An expression of the index. */
  readonly term: string;
  readonly by: Join;
}

/** Statements that declare variables and reduce terms into them, in one pass over an index, for which `each` is done first. */
export function reducing(
  all: readonly Reduced[],
  along: {
    readonly index: string;
    readonly first: string;
    readonly end: string;
    readonly step: string;
    readonly each?: string;
  },
): string {
  const { index, first, end, step, each = '' } = along;
  const declare = (suffix: string): string =>
    all.map(({ name, by }) => `var ${name}${suffix} = ${initial(by)};`).join(' ');
  const terms = all.map(
    ({ name, term, by }) =>
      `let ${name}_term = ${term}; ${name}_part = ${joined(by, `${name}_part`, `${name}_term`)};`,
  );
  return `${declare('')}
  for (var ${index} = ${first}; ${index} < ${end};) {
    ${declare('_part')}
    for (var n = 0u; n < ${chain}u && ${index} < ${end}; n++) {
      ${each} ${terms.join(' ')}
      ${index} += ${step};
    }
    ${all.map(({ name, by }) => `${name} = ${joined(by, name, `${name}_part`)};`).join(' ')}
  }`;
}

interface OfLane {
  readonly name: string;
  /** An expression of what an invocation has. */
  readonly from: string;
  readonly by: Join;
}

/** Declares what `joinLanes` needs. */
export function laneMemory(names: readonly string[], invocations: number): string {
  return names.map((name) => `var<workgroup> ${name}_shared: array<f32, ${invocations}>;`).join('\n');
}

/**
 * Statements for all invocations `index` of a workgroup, each of which is a `lane` of a column: those of a column are joined over a
 * tree, whose order is always the same.
 * @param lanes of each column: a power of 2
 * @returns also an expression of what all lanes of a column have together
 */
export function joinLanes(
  all: readonly OfLane[],
  lanes: number,
  columns = 1,
): { readonly code: string; readonly joinedOf: (name: string) => string } {
  const give = all.map(({ name, from }) => `${name}_shared[index] = ${from};`);
  const join = all.map(
    ({ name, by }) =>
      `{ let a = ${name}_shared[index]; let b = ${name}_shared[index + half * ${columns}u]; ${name}_shared[index] = ${joined(by, 'a', 'b')}; }`,
  );
  const code = `${give.join(' ')}
  workgroupBarrier();
  for (var half = ${lanes / 2}u; half > 0u; half >>= 1u) {
    if (lane < half) { ${join.join(' ')} }
    workgroupBarrier();
  }`;
  return { code, joinedOf: (name) => `${name}_shared[index - lane * ${columns}u]` };
}
