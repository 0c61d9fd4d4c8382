import type { z } from 'zod';
import { describeProblem } from '../tensor/config-error.ts';
import { didYouMean } from '../tensor/suggest.ts';

/**
 * The schema's issues in words. A schema's message says what would have been right: of an object, the names of its
 * settings, divided by commas; of anything else, what to put behind "wanted".
 */
export function describeIssues(issues: readonly z.core.$ZodIssue[], input: unknown): string[] {
  return issues.flatMap((issue) => {
    const { path, message } = issue;
    const isAboutSinks = path[0] === 'sinks';
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => {
        if (path[0] === 'data' && ofSeveralSizes.has(key)) return `${[...path, key].join('.')}: ${oneSize}`;
        if (isAboutSinks && secretName.test(key)) return `${[...path, key].join('.')}: ${noSecrets}`;
        const hint = didYouMean(key, message.split(', ')) || ` There are ${message}.`;
        return `${[...path, key].join('.')}: no such setting.${hint}`;
      });
    }
    const value = valueAt(input, path);
    // It may be a key that was put into the wrong place.
    const found = isAboutSinks && value !== undefined ? hidden : value;
    if (issue.code === 'invalid_type' && issue.expected === 'object') {
      return describeProblem(path, `settings (${message})`, found);
    }
    const names = message.startsWith('one of ') ? message.slice('one of '.length).split(', ') : [];
    const guess = typeof found === 'string' ? didYouMean(found, names) : '';
    return describeProblem(path, message, found) + (guess && `.${guess}`);
  });
}

const ofSeveralSizes: ReadonlySet<string> = new Set(['sizes', 'buckets']);
const oneSize =
  'this kind of data comes in one size. Image files in a folder, shards or Parquet files, and emoji, can be read at several';

const secretName = /key|token|password|secret|user|auth/i;
const noSecrets =
  'a config holds no secrets. Remove it, and set the environment variable WANDB_API_KEY, MLFLOW_TRACKING_TOKEN, ' +
  'or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD';
/** Shown in place of a value that may be a secret. */
const hidden = Symbol('something else, which is not shown in case it is a secret');

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key],
    input,
  );
}
