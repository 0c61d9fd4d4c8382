import type { Kernel } from './kernel.ts';

export const layerNormModulate: Kernel = {
  bind({ inputs: [x, shift, scale], outputs: [y, normalized, rstd], attributes }, places, kernels) {
    const { epsilon } = attributes as { epsilon: number };
    const { at, atWanted } = places;
    const args = [...x!.shape, ...[x!, shift!, scale!, y!].map(at), atWanted(normalized), at(rstd!), epsilon];
    return () => kernels.layerNormModulate(...args);
  },
};

export const layerNormModulateGrad: Kernel = {
  bind({ inputs: [normalized, scale, rstd, dy, other], outputs }, { at, atWanted }, kernels) {
    const read = [normalized!, scale!, rstd!, dy!].map(at);
    const args = [...normalized!.shape, ...read, atWanted(other), ...outputs.map(at)];
    return () => kernels.layerNormModulateGrad(...args);
  },
};

export const gatedResidual: Kernel = {
  bind({ inputs, outputs }, { at }, kernels) {
    const args = [...inputs[0]!.shape, ...inputs.map(at), ...outputs.map(at)];
    return () => kernels.gatedResidual(...args);
  },
};

export const gatedResidualGrad: Kernel = {
  bind({ inputs, outputs }, { at }, kernels) {
    const args = [...inputs[0]!.shape, ...inputs.map(at), ...outputs.map(at)];
    return () => kernels.gatedResidualGrad(...args);
  },
};
