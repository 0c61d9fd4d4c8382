/** What files of samples were made. */
export interface WrittenSamples {
  /** How many samples were written. */
  readonly count: number;
  /** The path of what to look at first: a grid of pictures, or the file that holds all samples. */
  readonly view: string;
  /** The file of the latents that the pictures were decoded from, where it was asked for. */
  readonly latents?: string;
  /** Classes whose folder is not called as they are, because not every system could make it, or two would be one. */
  readonly renamed?: readonly { readonly name: string; readonly folder: string }[];
}
