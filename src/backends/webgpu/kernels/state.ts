// Changes of state in place.
import { sizeOf } from '../../../tensor/shape.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Argument, Dispatch, Kernel, Operand, Scratch } from '../dispatch.ts';
import { eachItem } from '../items.ts';

const changing = (name: string, operand: Operand): Argument => ({
  name,
  operand,
  isWritten: true,
  isByItem: true,
});
/** A number, or a list, that all items read. */
const reading = (name: string, operand: Operand): Argument => ({ name, operand });
const readingByItem = (name: string, operand: Operand): Argument => ({ name, operand, isByItem: true });

const assign: Kernel = ({ inputs }) => {
  const [target, value] = inputs as [Tensor, Tensor];
  return [
    eachItem({
      arguments: [changing('kept', target), readingByItem('value', value)],
      count: sizeOf(target.shape),
      body: 'set_kept(i, value(i));',
    }),
  ];
};

const accumulate: Kernel = ({ inputs }) => {
  const [total, value, restart] = inputs as [Tensor, Tensor, Tensor];
  return [
    eachItem({
      arguments: [changing('total', total), readingByItem('value', value), reading('restart', restart)],
      count: sizeOf(total.shape),
      // Not a product: what a total held before a restart may be infinite.
      body: 'if (restart(0u) != 0.0f) { set_total(i, value(i)); } else { set_total(i, total(i) + value(i)); }',
    }),
  ];
};

const lerpAssign: Kernel = ({ inputs }) => {
  const [target, value, weight, counts] = inputs as [Tensor, Tensor, Tensor, Tensor];
  return [
    eachItem({
      arguments: [
        changing('kept', target),
        readingByItem('value', value),
        reading('weight', weight),
        reading('counts', counts),
      ],
      count: sizeOf(target.shape),
      body: 'if (counts(0u) != 0) { set_kept(i, kept(i) + weight(0u) * (value(i) - kept(i))); }',
    }),
  ];
};

/** Sums that one dispatch looks at: with what is added, two lists of flags and where it is kept as many buffers as there may be. */
const sumsAtOnce = 4;

/** What is added grows by the sums that are taken, in order; it is kept beside the values until it is put where it is made. */
const accumulateTree: Kernel = ({ inputs }) => {
  const [value, taken, made, ...sums] = inputs as [Tensor, Tensor, Tensor, ...Tensor[]];
  const count = sizeOf(value.shape);
  const added: Scratch = { scratch: 'added', elements: count };
  const inChunks = (each: (chunk: readonly Tensor[], first: number) => Dispatch): Dispatch[] =>
    Array.from({ length: Math.ceil(sums.length / sumsAtOnce) }, (_, c) =>
      each(sums.slice(c * sumsAtOnce, (c + 1) * sumsAtOnce), c * sumsAtOnce),
    );
  const taking = inChunks((chunk, first) => {
    const steps = chunk.map((_, k) => `if (taken(${first + k}u) != 0.0f) { v = sum${k}(i) + v; }`);
    return eachItem({
      arguments: [
        changing('added', added),
        ...(first === 0 ? [readingByItem('value', value)] : []),
        reading('taken', taken),
        ...chunk.map((operand, k) => readingByItem(`sum${k}`, operand)),
      ],
      count,
      body: `var v = ${first === 0 ? 'value' : 'added'}(i); ${steps.join(' ')} set_added(i, v);`,
    });
  });
  const making = inChunks((chunk, first) =>
    eachItem({
      arguments: [
        readingByItem('added', added),
        reading('made', made),
        ...chunk.map((operand, k) => changing(`sum${k}`, operand)),
      ],
      count,
      body: chunk.map((_, k) => `if (made(${first + k}u) != 0.0f) { set_sum${k}(i, added(i)); }`).join(' '),
    }),
  );
  return [...taking, ...making];
};

export const stateKernels: Readonly<Record<string, Kernel>> = {
  assign,
  accumulate,
  accumulateTree,
  lerpAssign,
};
