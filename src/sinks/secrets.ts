// Secrets come from the environment, and go nowhere but into the header of a request to the server that they are for.
import { RectiflowError } from '../tensor/errors.ts';
import { type KeyOwner, checkKeyUse } from './key-owner.ts';
import type { MlflowConfig, SinksConfig, WandbConfig } from './settings.ts';

/** What identifies us to a server, and what must never be shown of it. */
export interface Credentials {
  /** Of the server. */
  readonly address: string;
  /** The value of the header; undefined for a server that asks for nothing. */
  readonly authorization: string | undefined;
  readonly secrets: readonly string[];
  /** The environment variables that they come from. */
  readonly variables: string;
}

/**
 * The server is that of the config, or else WANDB_BASE_URL, as for the service's own client.
 * @throws RectiflowError where WANDB_API_KEY is not set, or is not for this server
 */
export function wandbCredentials(
  { url }: Pick<WandbConfig, 'url'>,
  { environment = process.env, sendKeysTo }: KeyOwner = {},
): Credentials {
  const key = environment['WANDB_API_KEY']?.trim();
  if (!key) {
    const advice = 'Copy the key from https://wandb.ai/authorize, or leave sinks.wandb out';
    throw new RectiflowError(
      'config',
      `sinks.wandb: wanted an API key in the environment variable WANDB_API_KEY, found none. ${advice}.`,
    );
  }
  const variable = 'WANDB_BASE_URL';
  const named = environment[variable]?.trim() || 'https://api.wandb.ai';
  const address = url ?? named;
  checkKeyUse({ setting: 'sinks.wandb.url', address, key: 'WANDB_API_KEY', variable, named, sendKeysTo });
  return { address: withoutPasswords(address), ...basic('api', key), variables: 'WANDB_API_KEY' };
}

/**
 * As MLflow's own client does: a name and a password come before a token. Servers that ask for neither need not be named.
 * @throws RectiflowError where there are some that are not for this server
 */
export function mlflowCredentials(
  { url: address }: Pick<MlflowConfig, 'url'>,
  { environment = process.env, sendKeysTo }: KeyOwner = {},
): Credentials {
  const name = environment['MLFLOW_TRACKING_USERNAME']?.trim();
  const password = environment['MLFLOW_TRACKING_PASSWORD']?.trim();
  const token = environment['MLFLOW_TRACKING_TOKEN']?.trim();
  const both = 'MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD';
  const variables = `MLFLOW_TRACKING_TOKEN, or ${both}`;
  const hasName = name && password;
  if (!hasName && !token) return { address, authorization: undefined, secrets: [], variables };
  const variable = 'MLFLOW_TRACKING_URI';
  const named = environment[variable]?.trim();
  const key = hasName ? both : 'MLFLOW_TRACKING_TOKEN';
  checkKeyUse({ setting: 'sinks.mlflow.url', address, key, variable, named, sendKeysTo });
  const header = hasName
    ? basic(name, password)
    : { authorization: `Bearer ${token}`, secrets: [token ?? ''] };
  return { address, ...header, variables };
}

/**
 * Finds what is missing, or would go to a server that nobody named, before a run begins.
 * @throws RectiflowError naming the environment variable
 */
export function checkCredentials({ wandb, mlflow }: SinksConfig, owner?: KeyOwner): void {
  if (wandb) wandbCredentials(wandb, owner);
  if (mlflow) mlflowCredentials(mlflow, owner);
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
