// Which server a key of the environment may go to. Configs, runs and records come from anybody, so their addresses decide nothing.
import { RectiflowError } from '../tensor/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Those who may say where keys go. */
export interface KeyOwner {
  /** By default that of the process. */
  readonly environment?: Environment;
  /** Addresses that the user names now, beside the one in the environment. */
  readonly sendKeysTo?: readonly string[] | undefined;
}

/** A key on its way. */
export interface KeyUse {
  /** The setting that the address is from. */
  readonly setting: string;
  readonly address: string;
  /** The environment variable of the key, or several, for messages. */
  readonly key: string;
  /** The variable that names the key's server. */
  readonly variable: string;
  /** What that says. */
  readonly named: string | undefined;
  readonly sendKeysTo: readonly string[] | undefined;
}

/**
 * Keys go to the origins that were named, and only where nobody on the way reads them: by https, or within this machine.
 * @throws RectiflowError naming address and key, and what would allow it
 */
export function checkKeyUse({ setting, address, key, variable, named, sendKeysTo = [] }: KeyUse): void {
  for (const other of sendKeysTo) {
    if (originOf(other) === undefined)
      throw new RectiflowError(
        'config',
        `sendKeysTo: wanted addresses as in https://wandb.example.org, found ${JSON.stringify(other)}.`,
      );
  }
  const origin = originOf(address);
  const allowed = [named ?? '', ...sendKeysTo].map(originOf);
  if (origin === undefined || !allowed.includes(origin)) {
    const found = originOf(named ?? '') ?? (named ? 'no address' : 'not set');
    throw new RectiflowError(
      'config',
      `${setting}: ${origin ?? 'that address'} gets no ${key}: a config cannot say where keys go, and ${variable}, which can, is ${found}. ` +
        `If the key is for this server, set ${variable} to its address, or name it with --send-keys-to (sendKeysTo).`,
    );
  }
  if (!isPrivate(origin))
    throw new RectiflowError(
      'config',
      `${setting}: ${origin} gets no ${key}: without https it could be read on the way. ` +
        'Give an address with https, or one of this machine, such as the end of an SSH tunnel.',
    );
}

/** Scheme, host and port, as a browser compares them; undefined for what is no address of a web server. */
function originOf(address: string): string | undefined {
  if (!URL.canParse(address)) return undefined;
  const { protocol, origin } = new URL(address);
  return /^https?:$/.test(protocol) ? origin : undefined;
}

/** A host that ends with a number has been read as an IPv4 address by now, or refused: it is no name. */
function isPrivate(origin: string): boolean {
  const { protocol, hostname } = new URL(origin);
  return protocol === 'https:' || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}
