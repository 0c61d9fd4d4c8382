// What a node of a program has to do at least: operations of its products, and bytes of everything it reads and writes.
import type { Node } from 'rectiflow';

type Shape = readonly number[];
/** Multiplications and additions counted as two, from the shapes of the inputs and of the first output. */
type Operations = (inputs: readonly Shape[], output: Shape) => number;

const size = (shape: Shape): number => shape.reduce((product, extent) => product * extent, 1);

/** [B, N, 3D] -> B N^2 D, which is what one product of attention multiplies. */
function attentionProduct([qkv]: readonly Shape[]): number {
  const [B, N, width] = qkv as [number, number, number];
  return (B * N * N * width) / 3;
}

/** [B, N, D] and [B, M, 2D] -> B N M D, as if all keys existed. */
function crossAttentionProduct([q, kv]: readonly Shape[]): number {
  return size(q!) * kv![1]!;
}

/** Ops whose products bound them; all others are bound by memory. */
const operations: Readonly<Record<string, Operations>> = {
  linear: ([x, w]) => 2 * size(x!) * w![0]!,
  linearGatedResidual: ([h, w]) => 2 * size(h!) * w![0]!,
  linearGradInput: ([dy, w]) => 2 * size(dy!) * w![1]!,
  linearGradParams: ([x, dy]) => 2 * size(x!) * dy!.at(-1)!,
  // Every output of every window meets its kernel, also over padding.
  conv2d: ([, w], y) => (2 * size(y) * size(w!)) / w![0]!,
  conv2dGradInput: ([dy, w]) => (2 * size(dy!) * size(w!)) / w![0]!,
  conv2dGradParams: ([, dy], dw) => (2 * size(dy!) * size(dw)) / dw[0]!,
  attention: (inputs) => 4 * attentionProduct(inputs),
  attentionGrad: (inputs) => 10 * attentionProduct(inputs),
  crossAttention: (inputs) => 4 * crossAttentionProduct(inputs),
  crossAttentionGrad: (inputs) => 10 * crossAttentionProduct(inputs),
};

const elementBytes = { float32: 4, bfloat16: 2, int32: 4, float16: 2 } as const;

export interface NodeCost {
  readonly operations: number;
  readonly bytes: number;
}

type Typed = Pick<Node['inputs'][number], 'shape' | 'dtype'>;
interface Work {
  readonly op: { readonly name: string; readonly mutates?: readonly number[] };
  readonly inputs: readonly Typed[];
  readonly outputs: readonly Typed[];
}

/** An input that is changed in place is read and written. */
export function nodeCost({ op, inputs, outputs }: Work): NodeCost {
  const changed = (op.mutates ?? []).map((i) => inputs[i]!);
  const touched = [...inputs, ...outputs, ...changed];
  return {
    operations:
      operations[op.name]?.(
        inputs.map(({ shape }) => shape),
        outputs[0]!.shape,
      ) ?? 0,
    bytes: touched.reduce((sum, { shape, dtype }) => sum + size(shape) * elementBytes[dtype], 0),
  };
}

const shortNames = { float32: 'f32', bfloat16: 'bf16', int32: 'i32', float16: 'f16' } as const;

/** `bf16 [16, 256, 384], f32 [1152, 384]`: the different types of the inputs, the first `most` of them, without scalars. */
export function describeOperands({ inputs }: Pick<Work, 'inputs'>, most = Infinity): string {
  const types = inputs
    .filter(({ shape }) => shape.length > 0)
    .map(({ shape, dtype }) => `${shortNames[dtype]} [${shape.join(', ')}]`);
  const different = [...new Set(types)];
  return [...different.slice(0, most), ...(different.length > most ? ['...'] : [])].join(', ');
}
