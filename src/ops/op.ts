import type { Attributes, Graph, Node, OpSignature, Tensor, TensorType } from '../tensor/tensor.ts';
import type { DType } from '../tensor/dtype.ts';
import { dtypeError, internalError, shapeError } from '../tensor/errors.ts';
import { type Shape, sameShape } from '../tensor/shape.ts';

/** A tensor with its numbers, as plain implementations see it: row-major, `data.length` equals the size of `shape`. */
export interface Dense {
  readonly shape: Shape;
  readonly data: Float32Array | Float64Array | Int32Array;
}

/** One application of an op, as its gradient rule sees it. */
export interface Application<A extends Attributes = Attributes> {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attributes: A;
  /** The gradient of the scalar being differentiated with respect to each output; undefined where it is zero. */
  readonly grads: readonly (Tensor | undefined)[];
}

/** Positions of the tensors that every implementation of an op can hold in half precision. */
export interface LowPrecision {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Weights, which are always float32: the op rounds them to the precision of input 0, the data that they meet. */
  readonly weights?: readonly number[];
}

/**
 * Two nodes that one op does at once, saving a pass over memory: `consumer` reads what `producer` makes, or state that it changes.
 */
export interface Fusion<A extends Attributes = Attributes> {
  readonly producer: Op;
  readonly consumer: Op;
  /** How the op stands in for both; undefined where these two do not fit. */
  join(producer: Node, consumer: Node): Joined<A> | undefined;
}

export interface Joined<A extends Attributes = Attributes> {
  readonly inputs: readonly Tensor[];
  /** The values of the two nodes that the op's outputs are. */
  readonly outputs: readonly Tensor[];
  readonly attributes: A;
}

/** A value that an op can make again while it reads it, of what the value was made of: then it need not be kept until then. */
export interface Remaking<A extends Attributes = Attributes> {
  /** The op that made the value. */
  readonly producer: Op;
  /** The consumer with the value's sources in its place; undefined where the two do not fit, or where a bit could be another. */
  remake(producer: Node, consumer: Node): Omit<Joined<A>, 'outputs'> | undefined;
}

/** Inputs whose NaN or infinity need not be seen in what the op makes or changes. */
export interface Hiding {
  /** All of them by default. */
  readonly inputs?: readonly number[];
  /** `infinity`: NaN comes out, infinity has a limit that is a number. */
  readonly numbers: 'all' | 'infinity';
  readonly why: string;
}

interface Common<A extends Attributes> extends OpSignature {
  /** The shape rule. Throws where the inputs do not fit together; the message names the op and the argument. */
  infer(inputs: readonly TensorType[], attributes: A): TensorType[];
  /** Vector-Jacobian product: the gradient with respect to each input, undefined where there is none. */
  vjp?(application: Application<A>): readonly (Tensor | undefined)[];
  /**
   * Which tensors may be stored in half precision; none where this is absent. `'same'`: the output has its input's dtype, as a view's
   * always has.
   */
  lowPrecision?(inputs: readonly TensorType[]): LowPrecision | 'same' | undefined;
  /** Inputs that the op changes in place, which may depend on how many inputs there are. */
  readonly mutates?: readonly number[] | ((inputs: number) => readonly number[]);
  /** Outputs that only a gradient needs: kernels do not make them where nothing reads them. */
  readonly optionalOutputs?: readonly number[];
  /** From all inputs but these, NaN and infinity come out: to hide them would be to hide what went wrong. */
  hides?(attributes: A): readonly Hiding[];
  /** What the op can stand in for, beside its decomposition. Functions, as ops name one another, and themselves. */
  fusions?(): readonly Fusion<A>[];
  /** What it makes again rather than read. */
  remakes?(): readonly Remaking<A>[];
}

/** An op with a plain implementation, the reference for all others. */
export interface Primitive<A extends Attributes = Attributes> extends Common<A> {
  readonly kind: 'primitive';
  evaluate(inputs: readonly Dense[], outputs: readonly Dense[], attributes: A): void;
}

/**
 * An op made of others. The decomposition is its definition, its fallback on a backend that has no kernel for it, and its
 * test. Without a vjp, its gradient is that of the decomposition.
 */
export interface Fused<A extends Attributes = Attributes> extends Common<A> {
  readonly kind: 'fused';
  decompose(inputs: readonly Tensor[], attributes: A): readonly Tensor[];
}

/**
 * Elements of an op's one input where they lie, row-major and in its dtype, under another shape. There is nothing to be done when it
 * runs, and no backend needs to know it: its output has the input's memory, and changes with it.
 */
export interface View<A extends Attributes = Attributes> extends Common<A> {
  readonly kind: 'view';
  /** The first of the input's elements that the output holds, 0 by default; the others follow it. */
  start?(input: TensorType, attributes: A): number;
}

/** Numbers known when the program is traced (`values` of the node). Backends upload them once, when they compile it. */
export interface Constant<A extends Attributes = Attributes> extends Common<A> {
  readonly kind: 'constant';
}

export type Op<A extends Attributes = Attributes> = Primitive<A> | Fused<A> | View<A> | Constant<A>;

/** Records `op` in the trace that its inputs belong to and returns its outputs. */
export function apply<A extends Attributes>(op: Op<A>, inputs: readonly Tensor[], attributes: A): Tensor[] {
  return graphOf(op.name, inputs).append(op as OpSignature, inputs, attributes);
}

/** Like `apply`, for an op with one output. */
export function apply1<A extends Attributes>(op: Op<A>, inputs: readonly Tensor[], attributes: A): Tensor {
  return apply(op, inputs, attributes)[0]!;
}

function graphOf(name: string, inputs: readonly Tensor[]): Graph {
  const first = inputs[0];
  if (first === undefined) throw internalError(`${name}: an op without inputs cannot find its trace`);
  return first.graph;
}

export function float32(shape: Shape): TensorType {
  return { shape, dtype: 'float32' };
}

/** Throws unless `got` is `wanted`; `symbols` names the axes in the message, such as `[B, D]`. */
export function checkShape(op: string, argument: string, symbols: string, wanted: Shape, got: Shape): void {
  if (wanted.length !== got.length || wanted.some((extent, axis) => extent !== got[axis])) {
    throw shapeError(op, argument, `${symbols} = [${wanted.join(', ')}]`, got);
  }
}

/** Throws unless `got` is one number of this dtype. */
export function checkScalar(op: string, argument: string, wanted: DType, got: TensorType): void {
  checkShape(op, argument, 'a scalar', [], got.shape);
  if (got.dtype !== wanted) throw dtypeError(op, argument, wanted, got.dtype);
}

/** Throws unless `got` has `symbols`' rank. */
export function checkRank(op: string, argument: string, symbols: string, rank: number, got: Shape): void {
  if (got.length !== rank) throw shapeError(op, argument, `${symbols} (${rank} axes)`, got);
}

/** The other argument of a binary op that combines `tensor` with something of its shape; undefined for any other node. */
export function otherInput({ inputs }: Node, tensor: Tensor): Tensor | undefined {
  const other = inputs[0] === tensor ? inputs[1] : inputs[0];
  if (inputs.length !== 2 || other === undefined || other === tensor) return undefined;
  return sameShape(other.shape, tensor.shape) ? other : undefined;
}

/** Positions of the inputs that an op of so many changes in place. */
export function mutatedInputs({ mutates = [] }: Pick<Op, 'mutates'>, inputs: number): readonly number[] {
  return typeof mutates === 'function' ? mutates(inputs) : mutates;
}
