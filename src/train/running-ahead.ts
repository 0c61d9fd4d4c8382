// Where a device takes its time to answer, a step is handed to it before the last one's flag has come back. It has to count only if
// that one did: the device knows, and the host, which hears of it later, does the step again as if it had never been.
import { assign, cast, maximum, mul } from '../ops/index.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';

/** Input [] of such a step: 1 where the host knows of all steps before it, so that this one counts by itself; else 0. */
export const settledInput = 'settled';

/** Where the device keeps whether the last step counted. */
export const countedState = 'total/counted';

/**
 * Whether a step counts that may have been handed over early. Declares the input and the state above.
 * @param finite int32 [], whether it would count by itself
 * @returns int32 []
 */
export function countsAfterLast(graph: Graph, finite: Tensor): Tensor {
  const settled = graph.input(settledInput, []);
  const last = graph.stateful(countedState, [], 'int32');
  const counts = cast(mul(cast(finite, 'float32'), maximum(settled, cast(last, 'float32'))), 'int32');
  assign(last, counts);
  return counts;
}
