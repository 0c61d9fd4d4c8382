import type { ActivationAttribute } from '../../../ops/activations.ts';
import type { Kernel } from './kernel.ts';
import { productBytes, rowsOf } from './product.ts';

const scratch = (): number => productBytes;

export const linear: Kernel = {
  scratch,
  bind({ inputs: [x, w, b], outputs: [y, z], attributes }, places, kernels) {
    const { activation } = attributes as ActivationAttribute;
    const [O, I] = w!.shape as [number, number];
    const { at, atWanted } = places;
    const values = [at(x!), at(w!), atWanted(b), at(y!), atWanted(z)];
    const args = [rowsOf(x!), I, O, ...values, activation, places.scratch];
    return () => kernels.linear(...args);
  },
};

export const linearGatedResidual: Kernel = {
  scratch,
  bind({ inputs: [h, w, b, x, gate], outputs: [y, branch] }, places, kernels) {
    const [O, I] = w!.shape as [number, number];
    const { at, atWanted } = places;
    const values = [at(h!), at(w!), at(b!), at(x!), at(gate!), at(y!), atWanted(branch)];
    const args = [rowsOf(h!), I, O, ...values, h!.shape[1]!, places.scratch];
    return () => kernels.linearGatedResidual(...args);
  },
};

export const linearGradInput: Kernel = {
  scratch,
  bind({ inputs: [dy, w, other], outputs: [dx], attributes }, places, kernels) {
    const { activation } = attributes as ActivationAttribute;
    const [O, I] = w!.shape as [number, number];
    const { at, atWanted } = places;
    const values = [at(dy!), at(w!), atWanted(other), at(dx!)];
    const args = [rowsOf(dy!), I, O, ...values, activation, places.scratch];
    return () => kernels.linearGradInput(...args);
  },
};

export const linearGradParams: Kernel = {
  scratch,
  bind({ inputs: [x, dy, shift, scale], outputs: [dw, db], attributes }, places, kernels) {
    const { activation } = attributes as ActivationAttribute;
    const [O, I] = dw!.shape as [number, number];
    const { at, atWanted } = places;
    const tokens = shift ? x!.shape[1]! : 1;
    const values = [at(x!), at(dy!), atWanted(shift), atWanted(scale)];
    const args = [rowsOf(x!), I, O, ...values, tokens, activation, at(dw!), at(db!), places.scratch];
    return () => kernels.linearGradParams(...args);
  },
};
