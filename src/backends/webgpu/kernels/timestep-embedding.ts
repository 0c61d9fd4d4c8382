import type { Kernel, Scratch } from '../dispatch.ts';
import { items } from '../items.ts';

/**
 * [cos, sin] of timeScale t maxPeriod^(-k / half). The frequencies are a table: where angles are large, one that is not rounded to the
 * nearest float32 would show.
 */
const timestepEmbedding: Kernel = ({ inputs, outputs, attributes }) => {
  const { width, timeScale, maxPeriod } = attributes as Record<'width' | 'timeScale' | 'maxPeriod', number>;
  const half = width / 2;
  const values = Float32Array.from({ length: half }, (_, k) => Math.exp((-Math.log(maxPeriod) * k) / half));
  const frequencies: Scratch = { scratch: `frequencies ${half} ${maxPeriod}`, elements: half, values };
  return [
    items({
      reads: [
        { name: 't', operand: inputs[0]! },
        { name: 'frequencies', operand: frequencies },
      ],
      output: outputs[0]!,
      value: `let k = i % (2u * u.half);
  let cs = cosSin((u.timeScale * t(i / (2u * u.half))) * frequencies(k % u.half));
  return select(cs.y, cs.x, k < u.half);`,
      sizes: { half },
      numbers: { timeScale },
    }),
  ];
};

export const timestepEmbeddingKernels: Readonly<Record<string, Kernel>> = { timestepEmbedding };
