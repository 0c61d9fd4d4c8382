/** What is known of a sample before it is transformed. */
export interface SampleDetails {
  /** Of the stored bytes: equal for copies. */
  readonly digest: string;
  /** Of the image, upright. */
  readonly height: number;
  readonly width: number;
  readonly format: string;
  /** There are frames or pages behind the first, which are not read. */
  readonly hasMore?: boolean;
}

/** A source that can say more of its samples than training needs to know. */
export interface Inspectable {
  /** @throws RectiflowError naming the sample, where it cannot be read */
  inspect(index: number): Promise<SampleDetails>;
}

export function isInspectable(source: object): source is Inspectable {
  return 'inspect' in source && typeof source.inspect === 'function';
}
