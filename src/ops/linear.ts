// Linear layers: the products that nearly all of a step's time goes into.
import { isHalf } from '../tensor/dtype.ts';
import { shapeError } from '../tensor/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { Attributes, Tensor, TensorType } from '../tensor/tensor.ts';
import {
  type Activation,
  type ActivationAttribute,
  activate,
  activationGrad,
  activationGradOp,
  activations,
  hiddenBy,
} from './activations.ts';
import { cast } from './cast.ts';
import { add, mul, mulOp } from './elementwise.ts';
import { checkModulation, layerNormModulateOp, modulate } from './layer-norm-modulate.ts';
import { matmul } from './matmul.ts';
import { type Fused, apply, checkShape, float32, otherInput } from './op.ts';
import { reshape } from './reshape.ts';
import { sum } from './sum.ts';

/** [..., D] -> [rows, D] */
const flatten = (x: Tensor): Tensor => reshape(x, [sizeOf(x.shape.slice(0, -1)), x.shape.at(-1)!]);

/** Weights take part in a product in the precision of the data they meet. */
const matching = (w: Tensor, data: Tensor): Tensor => cast(w, isHalf(data.dtype) ? data.dtype : 'float32');

function checkWeight(op: string, x: TensorType, w: TensorType, symbols: string, axis: number): void {
  if (w.shape.length !== 2 || w.shape[axis] !== x.shape.at(-1)) {
    const width = x.shape.at(-1);
    const wanted = axis === 1 ? `[O, ${width}]` : `[${width}, I]`;
    throw shapeError(op, 'w', `${symbols} = ${wanted}`, w.shape);
  }
}

/**
 * z = x w^T + b and y = activation(z). The backward pass keeps z: it gives the activation's derivative, and y again. A kernel
 * applies the activation to z as it is stored, so that y made again is y to the bit.
 */
export const linearOp: Fused<ActivationAttribute> = {
  kind: 'fused',
  name: 'linear',
  hides: ({ activation }) => hiddenBy(activation, [0, 1, 2]),
  infer([x, w, b], { activation }) {
    checkWeight('linear', x!, w!, '[O, I]', 1);
    const width = w!.shape[0]!;
    if (b) checkShape('linear', 'b', '[O]', [width], b.shape);
    const y = float32([...x!.shape.slice(0, -1), width]);
    return activation === activations.none ? [y] : [y, y];
  },
  lowPrecision: () => ({ inputs: [0], outputs: [0, 1], weights: [1] }),
  optionalOutputs: [1],
  decompose([x, w, b], { activation }) {
    const product = matmul(flatten(x!), matching(w!, x!), { transposeB: true });
    const z = reshape(b ? add(product, b) : product, [...x!.shape.slice(0, -1), w!.shape[0]!]);
    return activation === activations.none ? [z] : [activate(z, activation), z];
  },
  vjp({ inputs: [x, w, b], outputs: [, z], attributes, grads: [g] }) {
    const dz = z ? activationGrad(g!, z, attributes) : g!;
    const [dw, db] = linearGradParams(x!, dz);
    return b ? [linearGradInput(dz, w!), dw, db] : [linearGradInput(dz, w!), dw];
  },
};

/**
 * dy [..., O], w [O, I] -> dx [..., I] = dy w. A third input [..., I] is a factor, dx = (dy w) factor, or, given an activation, what
 * that was applied to before the layer: dx = (dy w) activation'(z).
 */
export const linearGradInputOp: Fused<ActivationAttribute> = {
  kind: 'fused',
  name: 'linearGradInput',
  hides: ({ activation }) => hiddenBy(activation, [2]),
  infer([dy, w, other], { activation }) {
    checkWeight('linearGradInput', dy!, w!, '[O, I]', 0);
    const dx = float32([...dy!.shape.slice(0, -1), w!.shape[1]!]);
    const argument = activation === activations.none ? 'factor' : 'z';
    if (other) checkShape('linearGradInput', argument, '[..., I]', dx.shape, other.shape);
    return [dx];
  },
  lowPrecision: () => ({ inputs: [0, 2], outputs: [0], weights: [1] }),
  decompose([dy, w, other], { activation }) {
    const product = matmul(flatten(dy!), matching(w!, dy!));
    const dx = reshape(product, [...dy!.shape.slice(0, -1), w!.shape[1]!]);
    if (other === undefined) return [dx];
    return [activation === activations.none ? mul(dx, other) : activationGrad(dx, other, { activation })];
  },
  fusions: () => [
    {
      producer: linearGradInputOp,
      consumer: mulOp,
      join(gradient, product) {
        const factor = otherInput(product, gradient.outputs[0]!);
        if (factor === undefined || gradient.inputs.length > 2) return undefined;
        return {
          inputs: [...gradient.inputs, factor],
          outputs: product.outputs,
          attributes: { activation: activations.none },
        };
      },
    },
    {
      producer: linearGradInputOp,
      consumer: activationGradOp,
      join(gradient, { inputs: [dy, z], outputs, attributes }) {
        if (dy !== gradient.outputs[0] || dy === z || gradient.inputs.length > 2) return undefined;
        const { activation } = attributes as ActivationAttribute;
        return { inputs: [...gradient.inputs, z!], outputs, attributes: { activation } };
      },
    },
  ],
};

/**
 * x [..., I], dy [..., O] -> dw [O, I] = dy^T x summed over all leading axes, db [O].
 *
 * What x was made of may stand in its place: z [..., I], given an activation, for x = activation(z); or, with two further inputs
 * shift and scale [B, I], normalized [B, N, I] for x = normalized (1 + scale) + shift.
 */
export const linearGradParamsOp: Fused<ActivationAttribute> = {
  kind: 'fused',
  name: 'linearGradParams',
  hides: ({ activation }) => hiddenBy(activation, [0]),
  infer([x, dy, shift, scale]) {
    const op = 'linearGradParams';
    const leading = x!.shape.slice(0, -1);
    checkShape(op, 'dy', 'x but for the last axis', [...leading, dy!.shape.at(-1)!], dy!.shape);
    const [O, I] = [dy!.shape.at(-1)!, x!.shape.at(-1)!];
    if (shift) checkModulation(op, 'normalized', x!, { shift, scale: scale! });
    return [float32([O, I]), float32([O])];
  },
  lowPrecision: () => ({ inputs: [0, 1], outputs: [] }),
  decompose([x, dy, shift, scale], { activation }) {
    const rows = flatten(dy!);
    const made = shift ? modulate(x!, shift, scale!) : activate(x!, activation);
    return [matmul(rows, flatten(made), { transposeA: true }), sum(rows, [0])];
  },
  remakes: () => [
    {
      producer: layerNormModulateOp,
      remake({ inputs: [, shift, scale], outputs: [y, normalized] }, { inputs, attributes }) {
        if (!isPlain(inputs, attributes, y!, normalized!)) return undefined;
        return {
          inputs: [normalized!, inputs[1]!, shift!, scale!],
          attributes: { activation: activations.none },
        };
      },
    },
    {
      producer: linearOp,
      remake({ outputs: [y, z], attributes: made }, { inputs, attributes }) {
        if (z === undefined || !isPlain(inputs, attributes, y!, z)) return undefined;
        return {
          inputs: [z, inputs[1]!],
          attributes: { activation: (made as ActivationAttribute).activation },
        };
      },
    },
  ],
};

/** Whether a gradient of parameters reads y itself, and y's source is stored as what y was made of, in the same dtype. */
function isPlain(
  [x, dy, ...others]: readonly Tensor[],
  { activation }: Attributes,
  y: Tensor,
  source: Tensor,
): boolean {
  const isFree = others.length === 0 && activation === activations.none;
  return isFree && x === y && dy !== y && y.dtype === source.dtype;
}

/**
 * x w^T + b, then the activation.
 * @param x [..., I]
 * @param w [O, I]
 * @param b [O], or undefined for no bias
 * @returns [..., O]
 */
export function linear(x: Tensor, w: Tensor, b?: Tensor, activation: Activation = 'none'): Tensor {
  return apply(linearOp, b ? [x, w, b] : [x, w], { activation: activations[activation] })[0]!;
}

function linearGradInput(dy: Tensor, w: Tensor): Tensor {
  return apply(linearGradInputOp, [dy, w], { activation: activations.none })[0]!;
}

function linearGradParams(x: Tensor, dy: Tensor): [Tensor, Tensor] {
  return apply(linearGradParamsOp, [x, dy], { activation: activations.none }) as [Tensor, Tensor];
}
