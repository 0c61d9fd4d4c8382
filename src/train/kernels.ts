import type { Backend } from '../backends/backend.ts';

/** How people call the kernels that a backend runs. */
export function describeKernels({ name, isa }: Backend): string {
  return isa === undefined ? name : `${name} ${isa}`;
}
