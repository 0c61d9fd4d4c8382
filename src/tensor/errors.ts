/** The kinds of error that reach a user; each has its own builder below or beside the code that throws it. */
export type ErrorCode = 'shape' | 'dtype' | 'value' | 'config' | 'file' | 'data' | 'backend' | 'run' | 'internal';

/** An error whose message names the thing, what was wanted, what was found and what to do. Shown without a stack trace. */
export class RectiflowError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RectiflowError';
    this.code = code;
  }
}

/** `[8, 384]` for [8, 384], `[]` for a scalar. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/**
 * `layerNormModulate: scale must be [B, D] = [8, 384], got [8, 768]`
 * @param wanted a description of what would have been right, such as `[B, D] = [8, 384]`
 */
export function shapeError(
  op: string,
  argument: string,
  wanted: string,
  got: readonly number[],
): RectiflowError {
  return new RectiflowError('shape', `${op}: ${argument} must be ${wanted}, got ${formatShape(got)}`);
}

/** `gather: index must be int32, got float32` */
export function dtypeError(op: string, argument: string, wanted: string, got: string): RectiflowError {
  return new RectiflowError('dtype', `${op}: ${argument} must be ${wanted}, got ${got}`);
}

/** `attention: heads must be a positive integer that divides D = 384, got 5` */
export function valueError(where: string, argument: string, wanted: string, got: unknown): RectiflowError {
  return new RectiflowError('value', `${where}: ${argument} must be ${wanted}, got ${String(got)}`);
}

/** A fault of this library, never of its user. */
export function internalError(message: string): RectiflowError {
  return new RectiflowError('internal', `${message}. This is a bug in rectiflow: please report it.`);
}
