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
