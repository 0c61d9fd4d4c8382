import type { ActivationAttribute } from '../../../ops/activations.ts';
import { sameShape, sizeOf } from '../../../tensor/shape.ts';
import type { Node } from '../../../tensor/tensor.ts';
import type { Kernel } from './kernel.ts';

/** Their places are the numbers that kernels/elementwise.ts knows them by. */
const binaryOps = ['add', 'sub', 'mul', 'div', 'less', 'minimum', 'maximum'] as const;
const unaryOps = [
  'neg',
  'exp',
  'sqrt',
  'square',
  'reciprocal',
  'sigmoid',
  'abs',
  'gelu',
  'silu',
  'relu',
  'geluDerivative',
  'siluDerivative',
] as const;

/** Each argument has all the numbers of the result, or one. */
const fits = ({ inputs, outputs: [y] }: Node): boolean =>
  inputs.every(({ shape }) => sizeOf(shape) === 1 || sameShape(shape, y!.shape));

export const binary = Object.fromEntries(
  binaryOps.map((name, kind): [string, Kernel] => [
    name,
    {
      fits,
      bind({ inputs: [a, b], outputs: [y] }, { at }, kernels) {
        const size = sizeOf(y!.shape);
        const isOne = (shape: readonly number[]): number => Number(sizeOf(shape) === 1 && size > 1);
        const args = [kind, size, at(a!), isOne(a!.shape), at(b!), isOne(b!.shape), at(y!)];
        return () => kernels.binary(...args);
      },
    },
  ]),
) as Record<(typeof binaryOps)[number], Kernel>;

export const unary = Object.fromEntries(
  unaryOps.map((name, kind): [string, Kernel] => [
    name,
    {
      bind({ inputs: [x], outputs: [y] }, { at }, kernels) {
        const args = [kind, sizeOf(x!.shape), at(x!), at(y!)];
        return () => kernels.unary(...args);
      },
    },
  ]),
) as Record<(typeof unaryOps)[number], Kernel>;

export const affine: Kernel = {
  bind({ inputs: [x], outputs: [y], attributes }, { at }, kernels) {
    const { scale, offset } = attributes as { scale: number; offset: number };
    const args = [sizeOf(x!.shape), at(x!), scale, offset, at(y!)];
    return () => kernels.affine(...args);
  },
};

export const activationGrad: Kernel = {
  bind({ inputs: [dy, z], outputs: [dz], attributes }, { at }, kernels) {
    const { activation } = attributes as ActivationAttribute;
    const args = [sizeOf(dy!.shape), at(dy!), at(z!), activation, at(dz!)];
    return () => kernels.activationGrad(...args);
  },
};
