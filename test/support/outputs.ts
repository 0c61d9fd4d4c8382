import type { Executable } from '../../src/backends/backend.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';

/** All outputs of a program's last run, in its order. */
export async function outputsOf(executable: Executable): Promise<Map<string, HostArray>> {
  return new Map(Object.entries(await executable.read([...executable.program.outputs.keys()])));
}
