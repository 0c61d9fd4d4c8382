import { isHalf } from '../../../tensor/dtype.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Stored } from '../products/index.ts';
import { storedAs } from '../wgsl/halves.ts';

/** Weights take part in a product in the precision of the data they meet. */
export function matching(w: Tensor, data: Tensor): Pick<Stored, 'made' | 'madeAs'> {
  return isHalf(data.dtype) && !isHalf(w.dtype)
    ? { made: storedAs(data.dtype, 'value'), madeAs: data.dtype }
    : {};
}
