import type { Backend } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';

export interface TestBackend {
  readonly label: string;
  /** Undefined where this machine cannot run it; `skip` says why. */
  readonly create: (precision?: 'fp32' | 'bf16') => Backend;
  readonly skip?: string;
}

export function testBackends(): TestBackend[] {
  return [{ label: 'reference', create: (precision = 'fp32') => referenceBackend({ precision }) }];
}
