/** Milliseconds of each run, of one at least: several where they are short, as a neighbour's turn of the processor spoils one. */
export async function timedRuns(run: () => Promise<unknown>, seconds: number): Promise<number[]> {
  const milliseconds: number[] = [];
  const end = performance.now() + 1000 * seconds;
  do {
    const began = performance.now();
    await run();
    milliseconds.push(performance.now() - began);
  } while (performance.now() < end);
  return milliseconds;
}
