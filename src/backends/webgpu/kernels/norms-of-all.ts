// What is told of many tensors together: each leaves its share, and the shares are joined.
import type { Dispatch, Kernel, Scratch, Span } from '../dispatch.ts';
import { eachItem } from '../items.ts';
import { reduction } from '../reduction.ts';

/** Shares of a span. */
const sharesOf = ({ elements }: Span): number => Math.max(1, Math.min(1024, Math.ceil(elements / 64)));

/**
 * @param term of a number `x`
 * @param by how terms are joined
 * @param result what is told, of the joined `v`
 */
function ofAll(term: string, by: 'sum' | 'max', result: string): Kernel {
  return ({ inputs, outputs }, { spans, tuning }) => {
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

export const normsOfAllKernels: Readonly<Record<string, Kernel>> = {
  globalNorm: ofAll('x * x', 'sum', 'sqrt(v)'),
  isFinite: ofAll('select(1.0f, 0.0f, isFinite_(x))', 'max', 'select(1, 0, v > 0.0f)'),
};
