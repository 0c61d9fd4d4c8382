// What a request is answered with that cannot be done.
import { inspect } from 'node:util';
import { RectiflowError, systemProblem } from '../tensor/errors.ts';
import { printable } from '../tensor/printable.ts';
import type { Failure } from './contract.ts';

export type FailureStatus = 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 500 | 503;

/** A request that is refused, with its status and a sentence for people. */
export class Refusal extends Error {
  readonly status: FailureStatus;

  /** @param sentence names in it may hold anything: what nobody would see is shown escaped */
  constructor(status: FailureStatus, sentence: string) {
    super(printable(sentence));
    this.name = 'Refusal';
    this.status = status;
  }
}

/** Of a symbolic link that leads to where the page shows nothing. */
export class LeadsOut extends Refusal {
  constructor(sentence: string) {
    super(404, sentence);
  }
}

const statusOf: Partial<Record<RectiflowError['code'], FailureStatus>> = {
  run: 404,
  internal: 500,
  file: 500,
  memory: 503,
};

/** The answer to a request that failed. @param tell hears of what is nobody's fault but ours */
export function failureOf(
  error: unknown,
  tell: (text: string) => void,
): { readonly status: FailureStatus; readonly body: Failure } {
  if (error instanceof Refusal) return { status: error.status, body: { error: error.message } };
  if (error instanceof RectiflowError && error.code !== 'internal')
    return { status: statusOf[error.code] ?? 400, body: { error: error.message } };
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return { status: 404, body: { error: 'That is no longer there: it was deleted or renamed.' } };
  if (code !== undefined && (error as NodeJS.ErrnoException).syscall !== undefined)
    return { status: 500, body: { error: printable(`${systemProblem(error)}.`) } };
  tell(inspect(error));
  return {
    status: 500,
    body: { error: 'This is a bug in rectiflow. What went wrong is shown where rectiflow watch runs.' },
  };
}
