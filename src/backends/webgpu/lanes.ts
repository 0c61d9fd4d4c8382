// How the invocations of a workgroup that share something, its lanes, join what each of them has.
import { type Join, initial, joined } from './reducing.ts';

interface OfLane {
  readonly name: string;
  /** An expression of what an invocation has. */
  readonly from: string;
  readonly by: Join;
}

/** A way to join. Its code is run by all invocations of a workgroup, and knows their place in it as `index`. */
export interface Lanes {
  /** Further parameters of `main`. */
  readonly parameters: string;
  /** Declares what joining under these names needs. */
  memory(names: readonly string[]): string;
  /** Statements, each name in one place of a shader only. */
  join(all: readonly OfLane[]): string;
  /** An expression of what all have together, in an order that is always the same. */
  joinedOf(name: string): string;
}

const memoryOf = (names: readonly string[], invocations: number): string =>
  names.map((name) => `var<workgroup> ${name}_shared: array<f32, ${invocations}>;`).join('\n');

/**
 * Over a tree in memory of the workgroup, with a barrier for each level.
 * @param lanes of each column, which know their place as `lane`: a power of 2
 */
export function throughMemory(lanes: number, columns = 1): Lanes {
  return {
    parameters: '',
    memory: (names) => memoryOf(names, columns * lanes),
    join(all) {
      const give = all.map(({ name, from }) => `${name}_shared[index] = ${from};`);
      const join = all.map(
        ({ name, by }) =>
          `{ let a = ${name}_shared[index]; let b = ${name}_shared[index + half * ${columns}u]; ${name}_shared[index] = ${joined(by, 'a', 'b')}; }`,
      );
      return `${give.join(' ')}
  workgroupBarrier();
  for (var half = ${lanes / 2}u; half > 0u; half >>= 1u) {
    if (lane < half) { ${join.join(' ')} }
    workgroupBarrier();
  }`;
    },
    joinedOf: (name) => `${name}_shared[index - lane * ${columns}u]`,
  };
}

/**
 * Within subgroups first, and then what these have, with one barrier, or with none where a subgroup is all there is. Pairs are exchanged, as
 * what WGSL's `subgroupAdd` adds up has no order, and `subgroupMax` may lose a NaN. Which invocations a subgroup has does not matter, nor how
 * many, but all of them must be there: it is for devices whose subgroups have at most `lanes` invocations.
 * @param lanes all invocations of the workgroup: a power of 2
 */
export function throughSubgroups(lanes: number): Lanes {
  const exchange = (all: readonly OfLane[]): string =>
    `for (var mask = 1u; mask < subgroupSize; mask <<= 1u) {
    ${all.map(({ name, by }) => `{ let a = ${name}_all; let b = subgroupShuffleXor(a, mask); ${name}_all = ${joined(by, 'a', 'b')}; }`).join(' ')}
  }`;
  return {
    parameters:
      ', @builtin(subgroup_size) subgroupSize: u32, @builtin(subgroup_invocation_id) placeInSubgroup: u32',
    memory: (names) => memoryOf(names, lanes),
    join(all) {
      // Of each subgroup one counts.
      const give = all.map(
        ({ name, by }) =>
          `${name}_shared[index] = select(${initial(by)}, ${name}_all, placeInSubgroup == 0u); ${name}_all = ${initial(by)};`,
      );
      const take = all.map(
        ({ name, by }) =>
          `{ let a = ${name}_all; let b = ${name}_shared[place]; ${name}_all = ${joined(by, 'a', 'b')}; }`,
      );
      return `${all.map(({ name, from }) => `var ${name}_all = ${from};`).join(' ')}
  ${exchange(all)}
  if (subgroupSize < ${lanes}u) {
    ${give.join(' ')}
    workgroupBarrier();
    for (var place = placeInSubgroup; place < ${lanes}u; place += subgroupSize) { ${take.join(' ')} }
    ${exchange(all)}
  }`;
    },
    joinedOf: (name) => `${name}_all`,
  };
}
