// Weights that are no numbers: whoever writes or reads weights asks here.
import { counted } from './counted.ts';
import type { Pace } from './pace.ts';
import type { StoredTensors } from './stored-tensor.ts';
import { othersTurn } from './turn.ts';
import { toFloat32 } from './to-float32.ts';

/** Values from which on others get their turn, so that a step of training is not kept waiting. */
const mostAtOnce = 1 << 22;

/**
 * `blocks.0.mlp.fc1.weight has 12 values that are not finite, of 4096, and so have 3 more tensors`; undefined where all are.
 * @param pace where something else goes on meanwhile
 */
export async function describeNonFinite(tensors: StoredTensors, pace?: Pace): Promise<string | undefined> {
  let first: string | undefined;
  let more = 0;
  let since = 0;
  for (const [name, tensor] of tensors) {
    const { length } = tensor.data;
    since += length;
    if (since > mostAtOnce) {
      since = 0;
      await othersTurn();
    }
    const began = performance.now();
    const values = toFloat32(tensor);
    const isFine = areFinite(values);
    await pace?.rest(performance.now() - began);
    if (isFine) continue;
    const odd = values.reduce((count, value) => count + (Number.isFinite(value) ? 0 : 1), 0);
    if (first === undefined)
      first = `${name} has ${counted(odd, 'value')} that ${odd === 1 ? 'is' : 'are'} not finite, of ${length}`;
    else more++;
  }
  if (more === 0) return first;
  return `${first}, and so ${more === 1 ? 'has 1 more tensor' : `have ${more} more tensors`}`;
}

/** A value less itself is 0, unless it is NaN or infinite: one pass without branches. */
export function areFinite(values: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! - values[i]!;
  return sum === 0;
}
