// The gradient of attention. Probabilities are made again from the log-sum-exp, with d p = do v^T and d s = p (d p - sum(do o)): once by queries,
// for dq = d s k, and once by keys, for dk = d s^T q and dv = p^T do, so that each sum has one owner.
import { sizeOf } from '../../../tensor/shape.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Argument, Dispatch, Scratch } from '../dispatch.ts';
import { type Blocks, each, four, rows, shares } from './blocks.ts';
import type { Attended } from './forward.ts';
import type { Heads, Written } from './heads.ts';
import { passOf } from './pass.ts';

export interface Gradients {
  readonly o: Tensor;
  readonly lse: Tensor;
  readonly dO: Tensor;
  readonly dq: Heads;
  readonly dk: Heads;
  readonly dv: Heads;
  /** What dq lies in, and what dk and dv do: they may be the same. */
  readonly ofQueries: Written;
  readonly ofKeys: Written;
}

export function attendGrad(attended: Attended, gradients: Gradients): Dispatch[] {
  const { ofQueries, ofKeys } = gradients;
  const after = ofQueries.argument.operand === ofKeys.argument.operand ? [] : ofQueries.after;
  return [byQueries(attended, gradients), byKeys(attended, gradients), ...after, ...ofKeys.after];
}

const rowsOfOutput = (name: string, { extents }: Attended): Heads => ({
  name,
  array: name,
  rows: 'N',
  stride: extents.heads * extents.d,
  first: 0,
});

/** sum(do o) of each query: made on the way by queries. */
const deltaOf = ({ lse }: Gradients): Scratch => ({
  scratch: 'attention delta',
  elements: sizeOf(lse.shape),
});

function byQueries(attended: Attended, gradients: Gradients): Dispatch {
  const { q, k, v } = attended;
  const { o, lse, dO, dq, ofQueries } = gradients;
  const width = ofQueries.argument.width!;
  const [ownO, ownDO] = [rowsOfOutput('o', attended), rowsOfOutput('dO', attended)];
  return passOf({
    ...attended,
    arguments: [
      ...attended.arguments,
      { name: 'o', operand: o, width },
      { name: 'lse', operand: lse },
      { name: 'dO', operand: dO, width },
      { name: 'delta', operand: deltaOf(gradients), isWritten: true },
      ofQueries.argument,
    ],
    rowCount: 'N',
    columns: 'keys',
    sums: ['sum'],
    reads: [q, k, v, ownO, ownDO],
    writes: [dq],
    before: (blocks) => `
  ${each(rows, (r) => `let query_${r} = min(row_${r}, u.N - 1u); let at_${r} = (batch * u.heads + head) * u.N + query_${r}; let lse_${r} = lse(at_${r}); var delta_${r} = 0.0f;`)}
  for (var c = lane; c < u.chunks; c += ${blocks.tile.lanes}u) {
    ${each(rows, (r) => `delta_${r} += dot(o_load(o_at(batch, head, query_${r}), c), dO_load(dO_at(batch, head, query_${r}), c));`)}
  }
  ${blocks.join('delta', 'sum')}
  if (lane == 0u && part == 0u) { ${each(rows, (r) => `if (row_${r} < u.N) { set_delta(at_${r}, delta_${r}); }`)} }`,
    block: (blocks) => `
    ${blocks.products('s', q, k)}
    ${blocks.products('dp', ownDO, v)}
    ${shares(blocks, 'p', (r, i) => `s_${r}_${i} * u.scale - lse_${r}`, 'keys')}
    ${eachVector(blocks, (r, i) => `let ds_${r}_${i} = select(vec4f(0), p_${r}_${i} * (dp_${r}_${i} - delta_${r}), column_${i} < vec4u(keys));`)}
    ${blocks.add('sum', 'ds', k)}`,
    after: (blocks) => blocks.store('sum', dq, () => 'v * u.scale'),
  });
}

/** Rows are keys here, and columns queries: scores are transposed. A key beyond the length gets zeros. */
function byKeys(attended: Attended, gradients: Gradients): Dispatch {
  const { q, k, v } = attended;
  const { lse, dO, dk, dv, ofKeys } = gradients;
  const width = ofKeys.argument.width!;
  const ownDO = rowsOfOutput('dO', attended);
  const existing = (value: string) => (r: number) => `select(vec4f(0), ${value}, row_${r} < keys)`;
  const reads: Argument[] = [
    { name: 'lse', operand: lse },
    { name: 'dO', operand: dO, width },
    { name: 'delta', operand: deltaOf(gradients) },
  ];
  return passOf({
    ...attended,
    arguments: [...attended.arguments, ...reads, ofKeys.argument],
    rowCount: 'M',
    columns: 'select(0u, u.N, tileRow < keys)',
    sums: ['sumK', 'sumV'],
    reads: [q, k, v, ownDO],
    writes: [dk, dv],
    before: () => '',
    block: (blocks) => `
    ${each(blocks.vectors, (i) => `let at_${i} = (batch * u.heads + head) * u.N + min(column_${i}, vec4u(u.N - 1u)); let lse_${i} = ${gathered('lse', i)}; let delta_${i} = ${gathered('delta', i)};`)}
    ${blocks.products('s', k, q)}
    ${shares(blocks, 'p', (r, i) => `s_${r}_${i} * u.scale - lse_${i}`, 'u.N')}
    ${blocks.add('sumV', 'p', ownDO)}
    ${blocks.products('dp', v, ownDO)}
    ${eachVector(blocks, (r, i) => `let ds_${r}_${i} = select(vec4f(0), p_${r}_${i} * (dp_${r}_${i} - delta_${i}), column_${i} < vec4u(u.N));`)}
    ${blocks.add('sumK', 'ds', q)}`,
    after: (blocks) => `
  ${blocks.store('sumK', dk, existing('v * u.scale'))}
  ${blocks.store('sumV', dv, existing('v'))}`,
  });
}

function eachVector({ vectors }: Blocks, text: (r: number, i: number) => string): string {
  return each(rows, (r) => each(vectors, (i) => text(r, i)), '\n    ');
}

function gathered(name: string, i: number): string {
  return `vec4f(${four.map((j) => `${name}(at_${i}[${j}])`).join(', ')})`;
}
