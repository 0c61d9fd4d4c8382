import { configError, describeProblem } from '../tensor/config-error.ts';

/**
 * A part of training is handed over by the program exactly where the config calls it custom.
 * @param path of the settings of that part
 * @param what it is, for messages
 * @param kind that the config says
 * @throws RectiflowError where it does not fit together
 */
export function checkOwn(path: string, what: string, kind: string, own: object | undefined): void {
  if ((kind === 'custom') === (own !== undefined)) return;
  throw configError('config', [
    own
      ? describeProblem([path, 'kind'], `custom, because the program hands over its own ${what}`, kind)
      : `${path}: a custom ${what} is handed over by the program that trains. Run, resume or sample it from that program`,
  ]);
}
