// Matrix products of any extents: in tiles of a workgroup or of an invocation, and in parts where that keeps a device busy.
import { isHalf } from '../../../tensor/dtype.ts';
import { type Dispatch, type Scratch, type Tuning, mostGroups } from '../dispatch.ts';
import { finish } from './finish.ts';
import { madeOnce } from './made.ts';
import { type Product, termsOfSum } from './product.ts';
import { type ProductWay, productWork } from './ways.ts';

export type { Factor, LookedUp, Product, ProductOutput, Stored } from './product.ts';

/** Terms of a part are worth a dispatch that adds up parts. */
const fewestTerms = 2 * termsOfSum;
/** Memory for parts, in elements. */
const mostOfParts = 2 ** 22;

export function product(wanted: Product, tuning: Tuning): Dispatch[] {
  const { M, N, K, outputs, rowSums } = wanted;
  const way = tuning.wayOf(productWork(wanted, tuning));
  const { first, product: given } = madeOnce(wanted, way.shares);
  const parts = partsOf(given, way);
  const perPart = Math.ceil(Math.ceil(K / parts) / termsOfSum) * termsOfSum;
  // Two bytes are not written by themselves: an odd row of them would share a word with the next.
  const isWritable = N % 2 === 0 || !outputs.some(({ tensor }) => isHalf(tensor.dtype));
  if (parts === 1 && isWritable) {
    const targets = outputs.map(({ tensor, ...output }) => ({ ...output, operand: tensor }));
    return [...first, ...inDispatches(way.make({ ...given, targets, parts, perPart }))];
  }
  const sums: Scratch = { scratch: 'product', elements: parts * (given.batch ?? 1) * M * N };
  const ofRows: Scratch | undefined = rowSums && { scratch: 'product rows', elements: parts * M };
  const targets = [{ name: 'sums', operand: sums, value: 'v' }];
  const made = inDispatches(way.make({ ...given, targets, rowSums: ofRows, parts, perPart }));
  return [...first, ...made, finish(given, { sums, ofRows, parts })];
}

/** As many dispatches as it takes: each knows the first of its workgroups. */
function inDispatches(whole: Dispatch): Dispatch[] {
  const along = (count: number): { readonly first: number; readonly count: number }[] =>
    Array.from({ length: Math.ceil(count / mostGroups) }, (_, i) => ({
      first: i * mostGroups,
      count: Math.min(mostGroups, count - i * mostGroups),
    }));
  const [xs, ys, zs] = [along(whole.groups[0]), along(whole.groups[1]), along(whole.groups[2])];
  return xs.flatMap((x) =>
    ys.flatMap((y) =>
      zs.map((z): Dispatch => ({
        ...whole,
        groups: [x.count, y.count, z.count],
        sizes: { ...whole.sizes, firstX: x.first, firstY: y.first, firstZ: z.first },
      })),
    ),
  );
}

function partsOf({ M, N, K, batch = 1, inParts = false }: Product, { tile, busy }: ProductWay): number {
  if (!inParts) return 1;
  const groups = Math.ceil(M / tile.M) * Math.ceil(N / tile.N) * batch;
  const most = Math.min(busy / groups, K / fewestTerms, mostOfParts / (M * N * batch));
  const parts = Math.max(1, Math.floor(most));
  const perPart = Math.ceil(K / parts / termsOfSum) * termsOfSum;
  return Math.max(1, Math.ceil(K / perPart));
}
