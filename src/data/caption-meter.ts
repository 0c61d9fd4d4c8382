/** How much of a caption a model is told. */
export interface CaptionMeter {
  /** Tokens that a model is told at most: model.text.length. */
  readonly length: number;
  /**
   * @returns a caption's tokens before it is cut; and what is left of a longer one, the same for those that a model cannot tell
   * apart, where that is known
   * @throws RectiflowError where a model can be told nothing of it
   */
  measure(caption: string): { readonly tokens: number; readonly kept?: string };
}
