import type { ParameterSpec } from './parameters.ts';

/** What has parameters, whatever it is for: functions of a graph take them. A velocity is one use of it, a classifier another. */
export interface Module {
  readonly parameters: readonly ParameterSpec[];
}
