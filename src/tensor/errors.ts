import { printable } from './printable.ts';

/** The kinds of error that reach a user; each has its own builder below or beside the code that throws it. */
export type ErrorCode =
  | 'shape'
  | 'dtype'
  | 'value'
  | 'config'
  | 'file'
  | 'data'
  | 'backend'
  | 'memory'
  | 'run'
  | 'ranks'
  | 'internal';

/** Of a line of a message, in characters. */
const longestHalf = 2000;

/** An error whose message names the thing, what was wanted, what was found and what to do. Shown without a stack trace. */
export class RectiflowError extends Error {
  readonly code: ErrorCode;

  /**
   * @param message its lines, where there are several: names may hold anything, so that what would break or change a line within
   * one of them is shown escaped
   */
  constructor(code: ErrorCode, message: string | readonly string[], options?: ErrorOptions) {
    const lines = typeof message === 'string' ? [message] : message;
    super(lines.map((line) => printable(shorten(line))).join('\n'), options);
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

/**
 * `runs/a/config.json: is empty. Restore it from a backup, or start a new run.`
 * @param problem what was found, and what was wanted where that is not plain
 * @param advice what to do, as a sentence, whose full stop may be left out
 */
export function fileError(path: string, problem: string, advice: string, cause?: unknown): RectiflowError {
  return new RectiflowError('file', told(path, problem, advice, cause), cause === undefined ? {} : { cause });
}

/** A data set that cannot be learnt from as it is: `digits: sample 12 has label 10, ... . Advice.` */
export function dataError(source: string, problem: string, advice: string, cause?: unknown): RectiflowError {
  return new RectiflowError(
    'data',
    told(source, problem, advice, cause),
    cause === undefined ? {} : { cause },
  );
}

/** A run folder that cannot be used now: held by another process, without a checkpoint, already there. */
export function runError(run: string, problem: string, advice: string, cause?: unknown): RectiflowError {
  return new RectiflowError('run', told(run, problem, advice, cause), cause === undefined ? {} : { cause });
}

/** What the operating system said, in words where the code is one that users meet. */
export function systemProblem(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const words: Record<string, string> = {
    ENOENT: 'no such file or folder',
    EACCES: 'permission denied',
    EPERM: 'not permitted',
    EISDIR: 'is a folder, not a file',
    ENOTDIR: 'part of the path is a file, not a folder',
    ENOSPC: 'no space left on the disk',
    EDQUOT: 'the disk quota is used up',
    EFBIG: 'the file is larger than the system allows',
    EIO: 'the disk failed',
    EROFS: 'the disk is read-only',
    EMFILE: 'this process may open no more files',
    ENFILE: 'the system can open no more files',
    ELOOP: 'links lead in a circle',
    ENAMETOOLONG: 'the name is too long',
    ENOTEMPTY: 'the folder is not empty',
    EEXIST: 'is there already',
    ESTALE: 'is no longer there on the server',
  };
  if (code !== undefined && words[code]) return words[code];
  // What is not in words begins with the code, and ends with the path that is told beside it.
  return /^[A-Z\d]+: (.+?)(?:, \w+(?: '.*')?)?$/s.exec(message)?.[1] ?? message;
}

/** What to do where the system is at a limit, whatever it was asked for; undefined of an error that has other causes. */
export function limitAdvice(error: unknown): string | undefined {
  for (let reason = error; reason instanceof Error; reason = reason.cause) {
    const advice = limits[(reason as NodeJS.ErrnoException).code ?? ''];
    if (advice !== undefined) return advice;
  }
  return undefined;
}

const limits: Readonly<Record<string, string>> = {
  EMFILE: 'Raise the limit, as with: ulimit -n 1024',
  ENFILE: 'End other programs, or raise the limit of the system',
};

/** A message whose parts are told once: a problem that was told of by another message has its place in it already. */
function told(where: string, problem: string, advice: string, cause: unknown): string {
  const isPlaced = problem.startsWith(`${where}: `) || problem.startsWith(`${where}/`);
  const placed = isPlaced ? problem : `${where}: ${problem}`;
  return `${sentence(placed)} ${sentence(limitAdvice(cause) ?? advice)}`;
}

/** A fault of this library, never of its user. */
export function internalError(message: string): RectiflowError {
  return new RectiflowError('internal', `${message}. This is a bug in rectiflow: please report it.`);
}

/** Names and values from outside may be of any length: of a line beyond measure the middle is left out. */
function shorten(line: string): string {
  if (line.length <= 2 * longestHalf) return line;
  const left = line.length - 2 * longestHalf;
  return `${line.slice(0, longestHalf)} ... (${left} characters) ... ${line.slice(-longestHalf)}`;
}

function sentence(text: string): string {
  return /[.?]$/.test(text) ? text : `${text}.`;
}
