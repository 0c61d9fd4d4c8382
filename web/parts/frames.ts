// Frames of a film, decoded before they are shown.

/** Bytes of decoded frames that are kept at most. */
const MEMORY = 256e6;
/** Frames that are fetched at once. */
const AT_ONCE = 4;

/** As an ImageBitmap is. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  close(): void;
}

export interface Frames<T> {
  /** The frame, where it is there already. */
  ready(index: number): T | undefined;
  /** Why it cannot be had; undefined as long as that is not known. */
  failure(index: number): unknown;
  /** Fetches this frame and those that come behind and before it. */
  want(index: number): void;
  /** More have come. @param count of all */
  grow(count: number): void;
  close(): void;
}

/**
 * @param count of frames, as long as there are no more
 * @param load fetches and decodes one
 * @param onSettled is told of each that is there, or cannot be had; the latter is tried again when it is wanted itself once more
 */
export function decodeAhead<T extends Frame>(
  count: number,
  load: (index: number) => Promise<T>,
  onSettled: (index: number) => void,
  memory: number = MEMORY,
): Frames<T> {
  const frames = new Map<number, T>();
  let total = count;
  const loading = new Set<number>();
  const failures = new Map<number, unknown>();
  let center = 0;
  let isClosed = false;

  const sizeOf = ({ width, height }: T): number => width * height * 4;
  const room = (): number => {
    const one = frames.values().next().value;
    return one === undefined ? AT_ONCE : Math.max(AT_ONCE, Math.floor(memory / sizeOf(one)));
  };
  /** The frames in the order in which they are likely to be shown: two ahead for each one back. */
  const order = (): number[] => {
    const found = [center];
    for (let i = 1; found.length < Math.min(total, room()); i++) {
      const next = [center + 2 * i - 1, center + 2 * i, center - i].filter(
        (index) => index >= 0 && index < total && !found.includes(index),
      );
      found.push(...next);
      if (i > total) break;
    }
    return found.slice(0, room());
  };

  const work = (): void => {
    if (isClosed) return;
    const wanted = order();
    const kept = new Set(wanted);
    for (const [index, frame] of frames) {
      if (kept.has(index)) continue;
      frame.close();
      frames.delete(index);
    }
    for (const index of wanted) {
      if (loading.size >= AT_ONCE) return;
      if (frames.has(index) || loading.has(index) || failures.has(index)) continue;
      loading.add(index);
      void fetchOne(index);
    }
  };

  const fetchOne = async (index: number): Promise<void> => {
    try {
      const frame = await load(index);
      if (isClosed) frame.close();
      else {
        frames.set(index, frame);
        onSettled(index);
      }
    } catch (error) {
      failures.set(index, error);
      if (!isClosed) onSettled(index);
    }
    loading.delete(index);
    work();
  };

  return {
    ready: (index) => frames.get(index),
    failure: (index) => failures.get(index),
    want: (index) => {
      if (index !== center) failures.delete(index);
      center = index;
      work();
    },
    grow: (more) => {
      total = more;
    },
    close: () => {
      isClosed = true;
      for (const frame of frames.values()) frame.close();
      frames.clear();
    },
  };
}
