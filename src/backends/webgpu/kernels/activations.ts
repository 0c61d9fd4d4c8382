// Activations, by themselves and as parts of other kernels.
import { activations } from '../../../ops/activations.ts';
import type { Kernel } from '../dispatch.ts';
import { items, reading } from '../items.ts';
import { unary } from './elementwise.ts';

const names: Readonly<Record<number, string>> = {
  [activations.gelu]: 'gelu',
  [activations.silu]: 'silu',
  [activations.relu]: 'relu',
};

/** An expression of act(z). @param z an expression */
export function activated(activation: number, z: string): string {
  return activation === activations.none ? z : `${names[activation]}_(${z})`;
}

/** An expression of act'(z). */
export function derivative(activation: number, z: string): string {
  return activation === activations.none ? '1.0f' : `${names[activation]}Derivative_(${z})`;
}

const activationGrad: Kernel = ({ inputs, outputs, attributes }) => {
  const { activation } = attributes as { activation: number };
  const value = activation === activations.none ? 'x0(i)' : `x0(i) * ${derivative(activation, 'x1(i)')}`;
  return [items({ reads: reading(inputs), output: outputs[0]!, value: `return ${value};` })];
};

export const activationKernels: Readonly<Record<string, Kernel>> = {
  gelu: unary('gelu_(x)'),
  geluDerivative: unary('geluDerivative_(x)'),
  silu: unary('silu_(x)'),
  siluDerivative: unary('siluDerivative_(x)'),
  relu: unary('relu_(x)'),
  activationGrad,
};
