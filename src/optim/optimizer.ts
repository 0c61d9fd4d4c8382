// What turns gradients into changes of weights. AdamW is one optimizer; averages of the weights are no part of any.
import type { ParameterSpec } from '../nn/parameters.ts';
import { valueError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** What is kept for each parameter from update to update: of its shape, zeros at first. */
export interface Slot {
  /** `m`: state and files call it `<optimizer>.m/<parameter>`. */
  readonly name: string;
  /** In words, for messages: "first moment". */
  readonly label: string;
  /**
   * What it is a mean of: gradients, or their squares. A model that grows takes such slots along; others begin with zero.
   */
  readonly of?: 'gradients' | 'squares' | undefined;
}

/** A parameter [...], what its gradient is, and the optimizer's slots by name, all of its shape. */
export interface Updated {
  readonly param: Tensor;
  readonly grad: Tensor;
  readonly slots: Readonly<Record<string, Tensor>>;
}

/** The same for all parameters. */
export interface UpdateScalars {
  /** [], what gradients are multiplied with: clipping. */
  readonly gradScale: Tensor;
  /** [] */
  readonly learningRate: Tensor;
  /** int32 [], 1 for the first update. */
  readonly update: Tensor;
  /** int32 []: where it is 0, nothing may be changed. */
  readonly counts: Tensor;
}

/** How far the last update moved a parameter, told by what it left behind. */
export interface Retrace {
  /** Numbers that `direction` needs of an update, by name. */
  scalars(update: number): Readonly<Record<string, number>>;
  /** Records what the update was a multiple of. @param scalars [] each */
  direction(
    param: Tensor,
    slots: Readonly<Record<string, Tensor>>,
    scalars: Readonly<Record<string, Tensor>>,
  ): Tensor;
  /** That multiple. */
  multiple(update: number, learningRate: number): number;
}

/** A plain object: whoever trains may bring one. */
export interface Optimizer {
  /** In the names of its slots; two of one name have the same slots. */
  readonly name: string;
  readonly slots: readonly Slot[];
  /** Records the change of one parameter and of its slots, in place. */
  update(parameter: Updated, scalars: UpdateScalars): void;
  readonly retrace: Retrace;
}

/** Parameters that one optimizer changes. */
export interface ParameterGroup {
  readonly optimizer: Optimizer;
  has(parameter: Pick<ParameterSpec, 'name' | 'shape'>): boolean;
}

/** What a slot of a parameter is called in state and in files. */
export function slotTensor({ name }: Optimizer, slot: Slot, parameter: string): string {
  return `${name}.${slot.name}/${parameter}`;
}

/** The optimizer of a parameter: that of the first group which has it. @throws RectiflowError for a parameter that no group has */
export function optimizerOf(
  groups: readonly ParameterGroup[],
  parameter: Pick<ParameterSpec, 'name' | 'shape'>,
): Optimizer {
  const group = groups.find(({ has }) => has(parameter));
  if (group) return group.optimizer;
  throw valueError('optimizer', 'groups', `such that one has ${parameter.name}`, 'none that does');
}
