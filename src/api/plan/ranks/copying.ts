// How fast memory is copied here, which packing, sending and adding up take as many times as they do.

/** Too large for caches. */
const bytes = 64 * 2 ** 20;
const times = 5;

/** @returns bytes per second that one core copies */
export function measureCopying(): number {
  const [from, to] = [new Float32Array(bytes / 4).fill(1), new Float32Array(bytes / 4)];
  const seconds = Array.from({ length: times }, () => {
    const began = performance.now();
    to.set(from);
    return (performance.now() - began) / 1000;
  });
  return bytes / Math.min(...seconds);
}
