// Secrets come from the environment, and go nowhere but into the header of a request.
import { RectiflowError } from '../tensor/errors.ts';
import type { SinksConfig } from './settings.ts';

/** What identifies us to a server, and what must never be shown of it. */
export interface Credentials {
  /** The value of the header; undefined for a server that asks for nothing. */
  readonly authorization: string | undefined;
  readonly secrets: readonly string[];
  /** The environment variables that they come from. */
  readonly variables: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** @throws RectiflowError where WANDB_API_KEY is not set */
export function wandbCredentials(environment: Environment): Credentials {
  const key = environment['WANDB_API_KEY']?.trim();
  if (key) return { ...basic('api', key), variables: 'WANDB_API_KEY' };
  const advice = 'Copy the key from https://wandb.ai/authorize, or leave sinks.wandb out';
  throw new RectiflowError(
    'config',
    `sinks.wandb: wanted an API key in the environment variable WANDB_API_KEY, found none. ${advice}.`,
  );
}

/** As MLflow's own client does: a name and a password come before a token. */
export function mlflowCredentials(environment: Environment): Credentials {
  const name = environment['MLFLOW_TRACKING_USERNAME']?.trim();
  const password = environment['MLFLOW_TRACKING_PASSWORD']?.trim();
  const token = environment['MLFLOW_TRACKING_TOKEN']?.trim();
  const variables = 'MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD';
  if (name && password) return { ...basic(name, password), variables };
  if (token) return { authorization: `Bearer ${token}`, secrets: [token], variables };
  return { authorization: undefined, secrets: [], variables };
}

/**
 * Finds what is missing before a run begins.
 * @throws RectiflowError naming the environment variable
 */
export function checkCredentials(sinks: SinksConfig, environment: Environment = process.env): void {
  if (sinks.wandb) wandbCredentials(environment);
}

function basic(name: string, password: string): Pick<Credentials, 'authorization' | 'secrets'> {
  const encoded = Buffer.from(`${name}:${password}`).toString('base64');
  return { authorization: `Basic ${encoded}`, secrets: [password, encoded] };
}

/** A text without the secrets that it may hold: servers repeat what they were sent. */
export function redact(text: string, secrets: readonly string[]): string {
  return secrets.reduce((shown, secret) => shown.replaceAll(secret, '[secret]'), text);
}

/** Settings whose addresses have no `name:password@` in them. */
export function withoutPasswords<T>(settings: T): T {
  return JSON.parse(JSON.stringify(settings), (_, value: unknown) =>
    typeof value === 'string' ? value.replace(/\b([a-z][a-z\d+.-]*:\/\/)[^/\s@]*@/gi, '$1') : value,
  ) as T;
}
