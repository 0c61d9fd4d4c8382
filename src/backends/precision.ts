import { type Program, emulateFloat16, mixedPrecision } from '../program/index.ts';
import type { Half } from '../tensor/dtype.ts';
import { RectiflowError, valueError } from '../tensor/errors.ts';
import type { Precision } from './backend.ts';

const halves: Readonly<Record<Precision, Half | undefined>> = {
  fp32: undefined,
  bf16: 'bfloat16',
  fp16: 'float16',
};

/**
 * The pass that puts a program into a precision.
 * @param stored the types of half precision that the backend has kernels for; float16 is emulated where it is none of them
 * @throws RectiflowError where there is no such precision, or not on this backend
 */
export function precisionPass(
  backend: string,
  precision: Precision,
  stored: readonly Half[],
): (program: Program) => Program {
  if (!Object.hasOwn(halves, precision))
    throw valueError(backend, 'precision', `one of ${Object.keys(halves).join(', ')}`, precision);
  const half = halves[precision];
  if (half === undefined) return (program) => program;
  if (stored.includes(half)) return (program) => mixedPrecision(program, half);
  if (half === 'float16') return emulateFloat16;
  throw new RectiflowError('backend', `${backend}: stores no ${half}; set the precision to fp32 or fp16`);
}
