// The ways in which a pass over scores can be shared out, and what of it their speed depends on: not on how many batches there are, so that the
// numbers of one do not.
import { dtypeOf } from '../shader.ts';
import { type Work, rounded } from '../tuning/work.ts';
import type { Blocks } from './blocks.ts';
import { directBlocks } from './direct.ts';
import type { Pass } from './pass.ts';
import { tiledBlocks } from './tiled.ts';

const ways: Readonly<Record<'direct' | 'tiled', Blocks>> = { direct: directBlocks, tiled: tiledBlocks };

export function attentionWork({ extents, tuning, rowCount, reads, sums, ...pass }: Pass): Work<Blocks> {
  const { batches, heads, d, N, M } = extents;
  const dtypes = new Set(pass.arguments.map(dtypeOf));
  return {
    form: 'attention',
    key: `attention ${rounded(N)}x${rounded(M)}x${d} ${rowCount} ${reads.length} ${[...dtypes].toSorted().join('-')}`,
    ways,
    usual: tuning.lanes === 1 ? 'direct' : 'tiled',
    cost: 2 * (reads.length - 1 + sums.length) * batches * heads * N * M * d,
  };
}
