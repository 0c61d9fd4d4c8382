// What is told of many tensors together: each leaves its share, and the shares are joined.
import type { Dispatch, Kernel, Scratch, Span } from '../dispatch.ts';
import { sizeOf } from '../../../tensor/shape.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import { eachItem, reading } from '../items.ts';
import { type Join, joined, reducing } from '../reducing.ts';
import { reduction } from '../reduction.ts';

/** Shares of a span. */
const sharesOf = ({ elements }: Span): number => Math.max(1, Math.min(1024, Math.ceil(elements / 64)));

/**
 * @param term of a number `x`
 * @param by how terms are joined
 * @param result what is told, of the joined `v`
 */
function ofAll(term: string, by: Join, result: string): Kernel {
  return ({ inputs, outputs }, { spans, tuning }) => {
    if (isLittle(inputs)) return [atOnce({ term, by, result }, inputs, outputs[0]!)];
    const all = spans(inputs);
    const shares: Scratch = {
      scratch: 'shares',
      elements: all.reduce((sum, span) => sum + sharesOf(span), 0),
    };
    const join = by === 'sum' ? 'part += term' : 'part = max(part, term)';
    let first = 0;
    const sharing = all.map((span): Dispatch => {
      const count = sharesOf(span);
      const body = `var total = 0.0f;
  for (var j = i; j < u.size;) {
    var part = 0.0f;
    for (var r = 0u; r < 64u && j < u.size; r++) { let x = value(j); let term = ${term}; ${join}; j += u.count; }
    total = ${by === 'sum' ? 'total + part' : 'max(total, part)'};
  }
  set_shares(u.first + i, total);`;
      const dispatch = eachItem({
        arguments: [
          { name: 'value', ...span },
          { name: 'shares', operand: shares, isWritten: true },
        ],
        count,
        body,
        sizes: { size: span.elements, first },
      });
      first += count;
      return dispatch;
    });
    const joining = reduction({
      reads: [{ name: 'shares', operand: shares }],
      output: outputs[0]!,
      outputs: 1,
      terms: shares.elements,
      term: 'return shares(j);',
      by,
      neighbours: 'terms',
      lanes: tuning.lanes,
      result,
    });
    return [...sharing, ...joining];
  };
}

/** Buffers that one dispatch reads beside what it writes, and elements that one invocation goes through. */
const little = { tensors: 7, elements: 64 } as const;

function isLittle(inputs: readonly Tensor[]): boolean {
  const elements = inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return inputs.length <= little.tensors && elements <= little.elements;
}

function atOnce(
  { term, by, result }: { readonly term: string; readonly by: Join; readonly result: string },
  inputs: readonly Tensor[],
  output: Tensor,
): Dispatch {
  const totals = inputs.map(
    (_, k) => `${reducing([{ name: `v${k}`, term: `term_(x${k}(j${k}))`, by }], {
      index: `j${k}`,
      first: '0u',
      end: `u.size${k}`,
      step: '1u',
    })}
  v = ${joined(by, 'v', `v${k}`)};`,
  );
  return eachItem({
    arguments: [...reading(inputs), { name: 'y', operand: output, isWritten: true }],
    count: 1,
    functions: `fn term_(x: f32) -> f32 { return ${term}; }`,
    body: `var v = 0.0f;\n  ${totals.join('\n  ')}\n  set_y(0u, ${result});`,
    sizes: Object.fromEntries(inputs.map(({ shape }, k) => [`size${k}`, sizeOf(shape)])),
  });
}

export const normsOfAllKernels: Readonly<Record<string, Kernel>> = {
  globalNorm: ofAll('x * x', 'sum', 'sqrt(v)'),
  isFinite: ofAll('select(1.0f, 0.0f, isFinite_(x))', 'max', 'select(1, 0, v > 0.0f)'),
};
