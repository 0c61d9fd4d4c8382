// Which piece of x charts show, and how it is chosen.

export type Range = readonly [number, number];

/** What is dragged over in fewer pixels is a click. */
export const LEAST_DRAG = 4;

/** What a chart shows, and where in it zooming begins. */
export interface Shown {
  readonly range: Range;
  /** From the first to the last point. */
  readonly all: Range;
  readonly center: number;
}

/**
 * @param shown undefined of a chart that has nothing to choose from
 * @returns the piece that a key chooses, null for all; undefined of another key
 */
export function rangeOfKey(key: string, shown: Shown | undefined): Range | null | undefined {
  if (key === '0' || key === 'Escape') return null;
  if (shown === undefined) return undefined;
  if (key === '+' || key === '=') return zoomed(shown, 0.5);
  return key === '-' ? zoomed(shown, 2) : undefined;
}

/** @param factor of what is shown, around the center */
function zoomed({ range, all, center }: Shown, factor: number): Range | null {
  const next = [center - (center - range[0]) * factor, center + (range[1] - center) * factor] as const;
  return factor > 1 && next[0] <= all[0] && next[1] >= all[1] ? null : next;
}
