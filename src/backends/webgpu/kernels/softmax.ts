import { sizeOf } from '../../../tensor/shape.ts';
import type { Kernel } from '../dispatch.ts';
import { rows } from '../rows/index.ts';

/** exp(x) / sum exp(x) over the last axis, the maximum taken out first. */
const softmax: Kernel = ({ inputs, outputs }, { tuning }) => {
  const x = inputs[0]!;
  const width = x.shape.at(-1) ?? 1;
  const power = 'exp_(x(at) - greatest)';
  return rows(
    {
      rows: sizeOf(x.shape.slice(0, -1)),
      width,
      reads: [{ name: 'x', operand: x }],
      passes: [
        { totals: [{ name: 'greatest', term: 'x(at)', by: 'max' }] },
        { totals: [{ name: 'total', term: power }] },
      ],
      outputs: [{ name: 'y', tensor: outputs[0]!, value: `${power} / total` }],
    },
    tuning,
  );
};

export const softmaxKernels: Readonly<Record<string, Kernel>> = { softmax };
