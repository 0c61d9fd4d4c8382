// What products make in memory of their own becomes outputs: parts are added up, and halves written in pairs.
import { isHalf } from '../../../tensor/dtype.ts';
import type { Argument, Dispatch, PartsSum, Scratch } from '../dispatch.ts';
import { eachItem } from '../items.ts';
import { type Product, type ProductOutput, valueFunction } from './product.ts';

/** What was made in memory of products' own. */
export interface Unfinished {
  /** [parts, batch, M, N] */
  readonly sums: Scratch;
  /** [parts, M] */
  readonly ofRows: Scratch | undefined;
  readonly parts: number;
}

export function finish(given: Product, { sums, ofRows, parts }: Unfinished): Dispatch {
  const { M, N, batch = 1, reads = [], outputs, rowSums, numbers = {} } = given;
  const width = outputs.some(({ tensor }) => isHalf(tensor.dtype)) ? 2 : 1;
  const functions = `${outputs.map(valueFunction).join('\n')}
fn sumAt(i: u32) -> f32 {
  var total = 0.0f;
  for (var part = 0u; part < u.parts; part++) { total += sums(part * u.elements + i); }
  return total;
}`;
  const at = (i: string, which: string): string =>
    `let col${which} = (${i}) % u.N; let row${which} = (${i}) / u.N % u.M; let batch${which} = (${i}) / u.N / u.M;
  let v${which} = sumAt(${i});`;
  const results = Math.ceil((M * N * batch) / width);
  const rows = `if (i >= u.results) {
    let row = i - u.results;
    var total = 0.0f;
    for (var part = 0u; part < u.parts; part++) { total += ofRows(part * u.M + row); }
    set_rowSums(row, total);
    return;
  }`;
  const made =
    width === 1
      ? `${at('i', '')} ${outputs.map(({ name }) => `set_${name}(i, ${value(name, '')});`).join(' ')}`
      : `${at('2u * i', '0')} ${at('min(2u * i + 1u, u.elements - 1u)', '1')} ${outputs.map(storePair).join(' ')}`;
  const dispatch = eachItem({
    arguments: [
      { name: 'sums', operand: sums },
      ...reads,
      ...outputs.map(({ name, tensor }): Argument => ({
        name,
        operand: tensor,
        isWritten: true,
        width: isHalf(tensor.dtype) ? 2 : 1,
      })),
      ...(ofRows && rowSums
        ? [
            { name: 'ofRows', operand: ofRows },
            { name: 'rowSums', operand: rowSums, isWritten: true },
          ]
        : []),
    ],
    count: results + (ofRows ? M : 0),
    functions,
    body: ofRows ? `${rows}\n  ${made}` : made,
    sizes: { ...given.sizes, M, N, parts, elements: M * N * batch, results },
    numbers,
  });
  const [output] = outputs;
  if (outputs.length > 1 || output!.value !== 'v' || output!.tensor.dtype !== 'float32') return dispatch;
  const plain: PartsSum[] = [{ target: output!.tensor, from: sums, parts, elements: M * N * batch }];
  if (ofRows && rowSums) plain.push({ target: rowSums, from: ofRows, parts, elements: M });
  return { ...dispatch, sums: plain };
}

function value(name: string, which: string): string {
  return `${name}_value(v${which}, row${which}, col${which}, batch${which})`;
}

/** Of an odd number the last pair has an element too many: in halves it lies in the output's memory, in floats there is none. */
function storePair({ name, tensor }: ProductOutput): string {
  if (isHalf(tensor.dtype)) return `set2_${name}(i, vec2f(${value(name, '0')}, ${value(name, '1')}));`;
  return `set_${name}(2u * i, ${value(name, '0')}); if (2u * i + 1u < u.elements) { set_${name}(2u * i + 1u, ${value(name, '1')}); }`;
}
