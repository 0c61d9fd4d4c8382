// Products of any extents: each element by itself.
import { isHalf } from '../../../tensor/dtype.ts';
import type { Dispatch } from '../dispatch.ts';
import { eachItem } from '../items.ts';
import {
  type Product,
  type ProductOutput,
  factorIndex,
  hasHalves,
  productParts,
  termsOfSum,
} from './product.ts';

export function scalarProduct(given: Product): Dispatch {
  const { M, N, batch = 1, a, b, outputs } = given;
  const width = hasHalves(given) ? 2 : 1;
  const parts = productParts(given, { factor: 1, output: 1 });
  const functions = `${parts.functions}
fn productAt(row: u32, col: u32, batch: u32) -> f32 {
  var total = 0.0f;
  for (var k = 0u; k < u.K;) {
    var part = 0.0f;
    for (let end = min(k + ${termsOfSum / 4}u, u.K); k < end; k++) {
      part += made_a(a(${factorIndex('a', a, 'k', 'row')}), k, row, batch) * made_b(b(${factorIndex('b', b, 'k', 'col')}), k, col, batch);
    }
    total += part;
  }
  return total;
}`;
  const at = (i: string, name: string): string =>
    `let col${name} = (${i}) % u.N; let row${name} = (${i}) / u.N % u.M; let batch${name} = (${i}) / u.N / u.M;
  let v${name} = productAt(row${name}, col${name}, batch${name});`;
  const value = (name: string, which: string): string =>
    `${name}_value(v${which}, row${which}, col${which}, batch${which})`;
  const body =
    width === 1
      ? `${at('i', '')} ${outputs.map(({ name }) => `set_${name}(i, ${value(name, '')});`).join(' ')}`
      : `${at('2u * i', '0')} ${at('2u * i + 1u', '1')} ${outputs.map((output) => storePair(output, value)).join(' ')}`;
  return eachItem({ ...parts, functions, count: Math.ceil((M * N * batch) / width), body });
}

function storePair({ name, tensor }: ProductOutput, value: (name: string, which: string) => string): string {
  if (isHalf(tensor.dtype)) return `set2_${name}(i, vec2f(${value(name, '0')}, ${value(name, '1')}));`;
  return `set_${name}(2u * i, ${value(name, '0')}); set_${name}(2u * i + 1u, ${value(name, '1')});`;
}
