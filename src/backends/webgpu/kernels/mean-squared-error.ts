import { sizeOf } from '../../../tensor/shape.ts';
import type { Kernel } from '../dispatch.ts';
import { reading } from '../items.ts';
import { reduction } from '../reduction.ts';

const meanSquaredError: Kernel = ({ inputs, outputs }, { tuning }) => {
  const count = sizeOf(inputs[0]!.shape);
  return reduction({
    reads: reading(inputs),
    output: outputs[0]!,
    outputs: 1,
    terms: count,
    term: 'let d = x0(j) - x1(j); return d * d;',
    result: 'v / u.all',
    neighbours: 'terms',
    lanes: tuning.lanes,
    numbers: { all: count },
  });
};

export const meanSquaredErrorKernels: Readonly<Record<string, Kernel>> = { meanSquaredError };
