// What generated cells cannot be used without: stored with the weights.

export type ExpressionRecord = {
  readonly kind: 'expression';
  /** Names, in the order of the model's values. */
  readonly genes: readonly string[];
  /** The column of obs that the classes are from. */
  readonly label?: string | undefined;
  /** Whether that column holds booleans; the classes are called False and True. */
  readonly booleans?: boolean | undefined;
  /** Whether counts were scaled to add up to `target` in each cell, and log1p taken. Otherwise values are those of the file. */
  readonly normalize: 'log1p' | 'none';
  readonly target: number;
  /** The model sees (value - center) / deviation: one number for all genes, or one for each. */
  readonly center: readonly number[];
  readonly deviation: readonly number[];
  /**
   * Of each class (one where there are none): values below are zero. Half of the least value above zero that its cells typically
   * have. Absent where values may be negative.
   */
  readonly zeroBelow?: readonly number[] | undefined;
  /** Of each class (one where there are none), 101 quantiles of the cells' total counts. Absent where the values are no counts. */
  readonly totals?: readonly (readonly number[])[] | undefined;
  /** The same of the counts in the genes of the model alone. */
  readonly keptTotals?: readonly (readonly number[])[] | undefined;
  /** Of each class (one where there are none), the cells to train on. */
  readonly cells?: readonly number[] | undefined;
};

/** The record of data that are cells, as far as using it needs it to be one; undefined of others. */
export function expressionRecordOf(
  record: Readonly<Record<string, unknown>> | undefined,
): ExpressionRecord | undefined {
  if (record?.['kind'] !== 'expression') return undefined;
  const { genes, center, deviation } = record;
  const isWhole = [genes, center, deviation].every((each) => Array.isArray(each) && each.length > 0);
  return isWhole ? (record as ExpressionRecord) : undefined;
}
