import { type Program, emulateFloat16, mixedPrecision } from '../program/index.ts';
import { valueError } from '../tensor/errors.ts';
import type { Precision } from './backend.ts';

const passes: Readonly<Record<Precision, (program: Program) => Program>> = {
  fp32: (program) => program,
  bf16: mixedPrecision,
  fp16: emulateFloat16,
};

/**
 * The pass that puts a program into a precision, on a backend that emulates float16.
 * @throws RectiflowError where there is no such precision
 */
export function precisionPass(backend: string, precision: Precision): (program: Program) => Program {
  if (!Object.hasOwn(passes, precision))
    throw valueError(backend, 'precision', `one of ${Object.keys(passes).join(', ')}`, precision);
  return passes[precision];
}
