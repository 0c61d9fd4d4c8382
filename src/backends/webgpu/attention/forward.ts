// Attention itself: a running maximum and a running sum of exponentials for each query (Milakov and Gimelshein 2018; Dao et al. 2022).
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Argument, Dispatch, Tuning } from '../dispatch.ts';
import { type Blocks, each, rows, shares } from './blocks.ts';
import { type Heads, headWidth, writtenHeads } from './heads.ts';
import { type Extents, passOf } from './pass.ts';

/** The rows of heads that a node reads, and the arguments in which they lie. */
export interface Attended {
  readonly extents: Extents;
  readonly tuning: Tuning;
  readonly q: Heads;
  readonly k: Heads;
  readonly v: Heads;
  readonly arguments: readonly Argument[];
  readonly hasLengths: boolean;
}

/** @param lse undefined where nobody reads it */
export function attend(attended: Attended, o: Tensor, lse: Tensor | undefined): Dispatch[] {
  const { extents, q, k, v } = attended;
  const written = writtenHeads('o', o, headWidth(extents.d));
  const to: Heads = { name: 'o', array: 'o', rows: 'N', stride: extents.heads * extents.d, first: 0 };
  const pass = passOf({
    ...attended,
    arguments: [
      ...attended.arguments,
      written.argument,
      ...(lse ? [{ name: 'lse', operand: lse, isWritten: true }] : []),
    ],
    rowCount: 'N',
    columns: 'keys',
    sums: ['sum'],
    reads: [q, k, v],
    writes: [to],
    before: () => each(rows, (r) => `var top_${r} = -3.0e38f; var total_${r} = 0.0f;`),
    block: (blocks) => softmaxBlock(blocks, attended),
    after: (blocks) => `
  ${blocks.join('total', 'sum')}
  ${blocks.store('sum', to, (r) => `select(v / total_${r}, vec4f(0), keys == 0u)`)}
  ${lse ? each(rows, (r) => lseOf(r)) : ''}`,
  });
  return [pass, ...written.after];
}

/** A maximum is of scores before they are scaled: of the largest the difference is 0 then, and not the rounding of 1e10. */
function softmaxBlock(blocks: Blocks, { q, k, v }: Attended): string {
  const { vectors } = blocks;
  const largest = (r: number): string =>
    vectors
      .map((i) => `select(vec4f(-3.0e38f), s_${r}_${i}, column_${i} < vec4u(keys))`)
      .reduce((a, b) => `max(${a}, ${b})`);
  return `
    ${blocks.products('s', q, k)}
    ${each(rows, (r) => `let m_${r} = ${largest(r)}; var largest_${r} = max(max(m_${r}.x, m_${r}.y), max(m_${r}.z, m_${r}.w));`)}
    ${blocks.join('largest', 'max')}
    let before = vec4f(${each(rows, (r) => `top_${r}`, ', ')});
    ${each(rows, (r) => `top_${r} = max(top_${r}, largest_${r});`)}
    let kept = share((before - vec4f(${each(rows, (r) => `top_${r}`, ', ')})) * u.scale);
    ${shares(blocks, 'p', (r, i) => `(s_${r}_${i} - top_${r}) * u.scale`, 'keys')}
    ${each(
      rows,
      (r) => `
    total_${r} = total_${r} * kept[${r}] + dot(${vectors.map((i) => `p_${r}_${i}`).join(' + ')}, vec4f(1));`,
    )}
    ${blocks.add('sum', 'p', v, (r) => `kept[${r}]`)}`;
}

function lseOf(r: number): string {
  return `
  if (lane == 0u && part == 0u && row_${r} < u.N) {
    set_lse((batch * u.heads + head) * u.N + row_${r}, select(top_${r} * u.scale + log_(total_${r}), 0.0f, keys == 0u));
  }`;
}
