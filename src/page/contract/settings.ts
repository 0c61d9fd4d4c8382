// The machine, settings of runs beside each other, and recipes.
import type { Json } from './common.ts';
import type { Machine } from '../../kept/machine.ts';

export interface MachineAnswer extends Machine {
  /** Bytes that are free now. */
  readonly free: number;
  /** Of rectiflow. */
  readonly version: string;
  /** The folder of runs, and the bytes that are free on its disk; null where the system does not say. */
  readonly runs: string;
  readonly freeDisk: number | null;
}

export interface Comparison {
  readonly runs: readonly string[];
  /** Settings that are not the same in all, by dotted names; `values` in the order of `runs`, null where a run lacks it. */
  readonly settings: readonly { readonly name: string; readonly values: readonly Json[] }[];
  /** Runs that cannot be read, a sentence each. */
  readonly damage: readonly string[];
}

export interface RecipeList {
  readonly recipes: readonly RecipeNote[];
}

export interface RecipeNote {
  readonly name: string;
  readonly description: string;
  readonly config: Json;
  /** Where nobody but the user can bring the data: what `data.path` has to lead to. */
  readonly expects: string | null;
}
