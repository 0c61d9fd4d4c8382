/** Turns captions into whole numbers. */
export interface Tokenizer {
  /** How errors call it. */
  readonly name: string;
  /** Tokens are from 0 to below this. */
  readonly vocabulary: number;
  /** Of every encoded caption, its padding included. */
  readonly length: number;
  /** Longer captions are cut; the empty one has a token too, so that there is something to attend to. */
  encode(caption: string): Tokens;
}

export interface Tokens {
  /** [length]; what follows the caption is padding. */
  readonly tokens: Int32Array;
  /** The tokens that are the caption's, at least 1. */
  readonly count: number;
  /** As many as there would be if it were not cut. */
  readonly whole: number;
}

/**
 * Cuts a caption's tokens to `length` and pads it with `end`, which stays its last token.
 * @param whole tokens of the whole caption with its end, where `caption` is only its beginning
 */
export function endAt(
  length: number,
  caption: ArrayLike<number>,
  end: number,
  whole: number = caption.length + 1,
): Tokens {
  const tokens = new Int32Array(length).fill(end);
  const kept = Math.min(caption.length, length - 1);
  for (let i = 0; i < kept; i++) tokens[i] = caption[i]!;
  return { tokens, count: kept + 1, whole };
}
