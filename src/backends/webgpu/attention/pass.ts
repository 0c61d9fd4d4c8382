// A pass over the scores of all batches and heads, which never lie in memory as a whole: rows in tiles, which meet the columns in blocks.
import type { Argument, Dispatch, Tuning } from '../dispatch.ts';
import { groupsOf } from '../dispatch.ts';
import { type Blocks, type PassShape } from './blocks.ts';
import { type Heads, headSizes, headWidth, readingHeads, writingHeads } from './heads.ts';
import { attentionWork } from './ways.ts';

/** What is the same for all passes of a node. */
export interface Extents {
  readonly batches: number;
  readonly heads: number;
  /** Elements of a head. */
  readonly d: number;
  /** Queries and keys of each batch. */
  readonly N: number;
  readonly M: number;
}

export interface Pass extends Omit<PassShape, 'chunks'> {
  readonly extents: Extents;
  readonly tuning: Tuning;
  readonly arguments: readonly Argument[];
  /** Whether there is an argument `lengths`: the keys that each batch has. */
  readonly hasLengths: boolean;
  readonly reads: readonly Heads[];
  readonly writes: readonly Heads[];
  /** Statements before the first block, of a block, and after the last. */
  readonly before: (blocks: Blocks) => string;
  readonly block: (blocks: Blocks) => string;
  readonly after: (blocks: Blocks) => string;
  /** How many columns there are: an expression of `keys`. */
  readonly columns: string;
}

export function passOf(pass: Pass): Dispatch {
  const { extents, tuning, hasLengths, reads, writes, rowCount, columns } = pass;
  const { batches, heads, d, N, M } = extents;
  const blocks = tuning.wayOf(attentionWork(pass));
  const { tile } = blocks;
  const chunksOfHead = Math.ceil(d / 4);
  const chunks = blocks.chunksFor(chunksOfHead);
  const headParts = Math.ceil(chunksOfHead / chunks);
  const tiles = Math.ceil({ N, M }[rowCount] / tile.rows);
  const groups = batches * heads * headParts * tiles;
  const width = headWidth(d);
  const code = `
${exponentials}
${hasLengths ? 'fn keysOf(batch: u32) -> u32 { return u32(clamp(lengths(batch), 0, i32(u.M))); }' : ''}
${reads.map((each) => readingHeads(each, width)).join('\n')}
${writes.map((each) => writingHeads(each, width)).join('\n')}
${blocks.declarations}
@compute @workgroup_size(${tile.invocations})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
  let g = groupIndex(group, groups);
  if (g >= u.groups) { return; }
  let tileRow = g % u.tiles * ${tile.rows}u;
  let part = g / u.tiles % u.headParts * ${chunks}u;
  let head = g / (u.tiles * u.headParts) % u.heads;
  let batch = g / (u.tiles * u.headParts) / u.heads;
  ${blocks.begin({ rowCount, sums: pass.sums, chunks }, hasLengths)}
  let columns = ${columns};
  ${pass.before(blocks)}
  for (var first = 0u; first < columns; first += ${blocks.columns}u) {
    ${blocks.beginBlock}
    ${pass.block(blocks)}
  }
  ${pass.after(blocks)}
}`;
  const sizes = {
    groups,
    tiles,
    headParts,
    heads,
    d,
    chunks: chunksOfHead,
    N,
    M,
    ...headSizes([...reads, ...writes]),
  };
  return {
    code,
    arguments: pass.arguments,
    sizes,
    numbers: { scale: 1 / Math.sqrt(d) },
    groups: groupsOf(groups),
  };
}

/** e^x, of x above 0 as of 0: no score is above the log-sum-exp but by rounding. Without branches, as there is one for each score. */
const exponentials = `fn share(x: vec4f) -> vec4f {
  let y = clamp(x, vec4f(-88.0f), vec4f(0.0f));
  let n = floor(y * 1.44269504f + 0.5f);
  let r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
  let p = ((((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f) * r + 1.6666665459e-1f) * r + 0.5f;
  let power = bitcast<vec4f>(vec4u(vec4i(n) + 127) << vec4u(23u));
  let isNaN = (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
  return select(((p * r * r + r) + 1.0f) * power, x, isNaN);
}`;
