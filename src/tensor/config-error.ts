// What is wrong with settings, each named by its path.
import { RectiflowError } from './errors.ts';
import { shownJson } from './shown-json.ts';

/**
 * One error for all that is wrong with a config.
 * @param origin the file or recipe
 * @param problems each beginning with the path of its setting
 */
export function configError(origin: string, problems: readonly string[]): RectiflowError {
  if (problems.length === 1) return new RectiflowError('config', `${origin}: ${problems[0]}`);
  return new RectiflowError('config', [`${origin}:`, ...problems.map((problem) => `  ${problem}`)]);
}

/** `train.steps: wanted a whole number from 1, found "many"` */
export function describeProblem(path: readonly PropertyKey[], wanted: string, found: unknown): string {
  return `${path.join('.') || 'settings'}: wanted ${wanted}, found ${describeValue(found)}`;
}

function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'symbol') return value.description ?? '';
  return typeof value === 'number' ? String(value) : shownJson(value);
}

/** Runs a check and notes what it throws at the user. */
export function attempt(problems: string[], check: () => unknown): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof RectiflowError)) throw error;
    problems.push(error.message);
  }
}
