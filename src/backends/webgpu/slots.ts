// Where intermediates live: whole buffers that values take turns in, not offsets in one arena, because a device puts barriers between
// dispatches buffer by buffer, and a binding has a largest size.
import { type MemoryPlan, bytesOf } from '../../program/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface Slots {
  /** The bytes of each slot. */
  readonly sizes: readonly number[];
  readonly slotOf: ReadonlyMap<Tensor, number>;
}

interface Slot {
  readonly bytes: number;
  readonly taken: { readonly first: number; readonly last: number }[];
}

/**
 * The largest values first, each into the smallest slot that is free for its whole lifetime.
 * @param elsewhere values that have memory already
 */
export function planSlots(
  { placements }: Pick<MemoryPlan, 'placements'>,
  elsewhere: ReadonlySet<Tensor>,
): Slots {
  const values = placements
    .filter(({ tensor }) => !elsewhere.has(tensor))
    .toSorted((a, b) => bytesOf(b.tensor) - bytesOf(a.tensor) || a.first - b.first);
  const slots: Slot[] = [];
  const slotOf = new Map<Tensor, number>();
  for (const { tensor, first, last } of values) {
    const isFree = ({ taken }: Slot): boolean =>
      taken.every((other) => other.last < first || last < other.first);
    // No value is larger than those before it, and a slot is as large as its first: the last that is free wastes least.
    const found = slots.findLastIndex(isFree);
    const chosen = found >= 0 ? found : slots.push({ bytes: bytesOf(tensor), taken: [] }) - 1;
    slots[chosen]!.taken.push({ first, last });
    slotOf.set(tensor, chosen);
  }
  return { sizes: slots.map(({ bytes }) => bytes), slotOf };
}
