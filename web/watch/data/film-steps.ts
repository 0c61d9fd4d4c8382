// Which checkpoints a film is made of.

/** The server remembers the last fifty jobs, and makes one after the other. */
const mostFrames = 24;

/** Steps of checkpoints, spread evenly where there are too many; the first and the last are among them. */
export function filmSteps(steps: readonly number[], most: number = mostFrames): number[] {
  if (steps.length <= most) return [...steps];
  return Array.from({ length: most }, (_, i) => steps[Math.round((i * (steps.length - 1)) / (most - 1))]!);
}
