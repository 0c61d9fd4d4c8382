import type { FixedTable } from './fixed-table.ts';
import type { ParameterSpec } from './parameters.ts';

/** What has parameters, whatever it is for: functions of a graph take them. A velocity is one use of it, a classifier another. */
export interface Module {
  readonly parameters: readonly ParameterSpec[];
  /** What files of its weights carry beside them; nothing by default. */
  readonly tables?: readonly FixedTable[] | undefined;
}
