// Steps of samplers. Their numbers are float64 in three parts of float32; here the sum of these is rounded, as there are no others.
import type { Kernel } from '../dispatch.ts';
import { items, reading } from '../items.ts';

const coefficient = `fn coefficient(n: u32) -> f32 { return x1(3u * n) + (x1(3u * n + 1u) + x1(3u * n + 2u)); }`;

/** Slopes that one dispatch adds up: with x, the coefficients, noise and y as many buffers as every device can bind. */
const atOnce = 4;

/** y = x - scale (w1 v1 + ...) + deviation z, in as many dispatches as it takes; each but the first goes on from y. */
const advance: Kernel = ({ inputs, outputs, attributes }) => {
  const [x, coefficients, ...others] = inputs;
  const y = outputs[0]!;
  const noise = attributes['noise'] === 1 ? others.at(-1) : undefined;
  const slopes = noise ? others.slice(0, -1) : others;
  const count = Math.ceil(slopes.length / atOnce);
  return Array.from({ length: count }, (_, c) => {
    const chunk = slopes.slice(c * atOnce, (c + 1) * atOnce);
    const terms = chunk.map((_slope, k) => `coefficient(${1 + c * atOnce + k}u) * v${k}(i)`);
    const added = noise && c === count - 1 ? ` + coefficient(${inputs.length - 2}u) * z(i)` : '';
    const from = c === 0 ? 'x0(i)' : 'y(i)';
    return items({
      reads: [
        ...(c === 0 ? [{ name: 'x0', operand: x! }] : []),
        { name: 'x1', operand: coefficients! },
        ...chunk.map((operand, k) => ({ name: `v${k}`, operand })),
        ...(added === '' ? [] : [{ name: 'z', operand: noise! }]),
      ],
      output: y,
      value: `return ${from} - coefficient(0u) * (${terms.join(' + ')})${added};`,
      functions: coefficient,
    });
  });
};

const denoise: Kernel = ({ inputs, outputs, attributes }) => {
  const { clip } = attributes as { clip: number };
  const kept =
    clip === 0 ? 'foreseen' : 'select(clamp(foreseen, -u.clip, u.clip), foreseen, isNaN_(foreseen))';
  // What is divided by data and multiplied with it again may be taken for itself by a compiler: of infinite data it is NaN.
  const value = `let data = coefficient(0u); let noise = coefficient(1u);
  if (!isFinite_(data)) { return nan_(); }
  let foreseen = (x0(i) - noise * x2(i)) / data;
  let kept = ${kept};
  return coefficient(2u) * kept + coefficient(3u) * (x0(i) - data * kept) / noise;`;
  return [
    items({
      reads: reading(inputs),
      output: outputs[0]!,
      value,
      functions: coefficient,
      numbers: clip === 0 ? {} : { clip },
    }),
  ];
};

export const solverKernels: Readonly<Record<string, Kernel>> = { advance, denoise };
