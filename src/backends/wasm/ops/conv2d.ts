import type { ActivationAttribute } from '../../../ops/activations.ts';
import { type Extent, type Windows, extentOf } from '../../../ops/windows.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Kernel } from './kernel.ts';
import { productBytes } from './product.ts';

/** Beside that of a product what a block of windows covers: `blockSide` in kernels/windows.ts. */
const scratch = (): number => productBytes + 4 * 256 * 256;

/** How windows of this size lie: the arguments of `layWindows`. */
function windowsOn(x: Tensor, y: Tensor, size: Extent, { stride, padding }: Windows): number[] {
  return [...x.shape.slice(1), y.shape[1]!, ...size, ...extentOf(y), stride, padding[0]!, padding[2]!];
}

export const conv2d: Kernel = {
  scratch,
  bind({ inputs: [x, w, b], outputs: [y], attributes }, places, kernels) {
    const { activation, ...windows } = attributes as Windows & ActivationAttribute;
    const lie = windowsOn(x!, y!, extentOf(w!), windows);
    const { at, atWanted } = places;
    const args = [x!.shape[0]!, at(x!), at(w!), atWanted(b), at(y!), activation, places.scratch];
    return () => {
      kernels.layWindows(...lie);
      kernels.conv2d(...args);
    };
  },
};

export const conv2dGradInput: Kernel = {
  scratch,
  bind({ inputs: [dy, w], outputs: [dx], attributes }, places, kernels) {
    const lie = windowsOn(dx!, dy!, extentOf(w!), attributes as Windows);
    const args = [dx!.shape[0]!, ...[dy!, w!, dx!].map(places.at), places.scratch];
    return () => {
      kernels.layWindows(...lie);
      kernels.conv2dGradInput(...args);
    };
  },
};

export const conv2dGradParams: Kernel = {
  scratch,
  bind({ inputs: [x, dy], outputs: [dw, db], attributes }, places, kernels) {
    const lie = windowsOn(x!, dy!, extentOf(dw!), attributes as Windows);
    const { at, atWanted } = places;
    const args = [x!.shape[0]!, at(x!), at(dy!), at(dw!), atWanted(db), places.scratch];
    return () => {
      kernels.layWindows(...lie);
      kernels.conv2dGradParams(...args);
    };
  },
};
