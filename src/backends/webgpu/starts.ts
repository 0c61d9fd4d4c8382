// Views that begin where nothing may be bound, such as the part of a weight that a shard sums: what is bound begins earlier, at a multiple of
// 256 bytes, and the shader counts from the view's beginning.
import { bytesPerElement } from '../../tensor/dtype.ts';
import { internalError } from '../../tensor/errors.ts';
import { bindingAlignment } from './device.ts';
import type { Argument } from './dispatch.ts';
import type { Placed } from './neighbours.ts';
import { dtypeOf } from './shader.ts';

/** The same dispatch, bound to memory that may be bound. */
export function fromBoundary<P extends Placed>(placed: P): P {
  const { dispatch, ranges } = placed;
  const behind = ranges.map(({ offset }) => offset % bindingAlignment);
  if (behind.every((bytes) => bytes === 0)) return placed;
  const sizes: Record<string, number> = { ...dispatch.sizes };
  const shifted = dispatch.arguments.map((argument, i): Argument => {
    if (behind[i] === 0) return argument;
    const start = `${argument.name}Start`;
    sizes[start] = startOf(argument, behind[i]!);
    return { ...argument, start };
  });
  return {
    ...placed,
    dispatch: { ...dispatch, arguments: shifted, sizes },
    ranges: ranges.map((range, i) => ({
      ...range,
      offset: range.offset - behind[i]!,
      size: range.size + behind[i]!,
    })),
  };
}

/** In what a shader counts: elements, or vectors of them. */
function startOf(argument: Argument, bytes: number): number {
  const { name, width = 1 } = argument;
  const start = bytes / (width * bytesPerElement(dtypeOf(argument)));
  if (!Number.isInteger(start)) throw internalError(`webgpu: ${name} begins in the middle of a vector`);
  return start;
}
