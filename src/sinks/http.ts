import { type BoundedAnswer, type FetchBounds, boundedFetch } from '../host/bounded-fetch.ts';
import { printable } from '../tensor/printable.ts';
import { type Credentials, redact } from './secrets.ts';

/** A request that was not answered, or not as it should be. No secret is in its message. */
export class RequestError extends Error {
  /** Of HTTP; undefined where there was no answer. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }

  /** Whether the same request may succeed later. */
  get isTemporary(): boolean {
    return this.status === undefined || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export type Json = Record<string, unknown>;

export interface Upload {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a server may take, in time for an answer and in memory. */
export type Patience = Pick<FetchBounds, 'totalMs' | 'idleMs' | 'maxBytes'>;

const defaultPatience: Patience = { totalMs: 60_000, idleMs: 20_000, maxBytes: 2 ** 23 };
/** The slowest line over which a picture has time to be sent: bytes in a millisecond. */
const slowestUpload = 20;

/** One server. */
export class Http {
  readonly #base: string;
  readonly #credentials: Credentials;
  readonly #patience: Patience;

  /** @param credentials with the address that paths are appended to */
  constructor(credentials: Credentials, patience: Patience = defaultPatience) {
    this.#base = credentials.address.replace(/\/+$/, '');
    this.#credentials = credentials;
    this.#patience = patience;
  }

  /** @throws RequestError */
  async get(path: string, signal: AbortSignal): Promise<Json> {
    return this.#request(this.#base + path, { method: 'GET', headers: this.#authorization() }, signal);
  }

  /** @throws RequestError */
  async post(path: string, body: unknown, signal: AbortSignal): Promise<Json> {
    const headers = { ...this.#authorization(), 'content-type': 'application/json' };
    return this.#request(this.#base + path, { method: 'POST', headers, body: JSON.stringify(body) }, signal);
  }

  /**
   * @param where a path of this server; or an address, which is sent no credentials
   * @throws RequestError
   */
  async put(where: string, { data, headers }: Upload, signal: AbortSignal): Promise<void> {
    const isOurs = where.startsWith('/');
    const all = { ...(isOurs && this.#authorization()), ...headers };
    await this.#request(
      isOurs ? this.#base + where : where,
      { method: 'PUT', headers: all, body: data },
      signal,
    );
  }

  /** An error without our secrets, which an answer may repeat, and without what a terminal would obey. */
  problem(message: string, status?: number): RequestError {
    return new RequestError(printable(redact(message, this.#credentials.secrets)), status);
  }

  /** The cut comes last: half a secret would not be recognised. */
  #excerpt(text: string): string {
    const line = redact(text, this.#credentials.secrets).replace(/\s+/g, ' ').trim();
    return line.length > 200 ? `${line.slice(0, 197)}...` : line;
  }

  #authorization(): Record<string, string> {
    const { authorization } = this.#credentials;
    return authorization === undefined ? {} : { authorization };
  }

  async #request(
    address: string,
    request: Omit<RequestInit, 'body' | 'signal'> & { method: string; body?: string | Upload['data'] },
    signal: AbortSignal,
  ): Promise<Json> {
    // Signed addresses are secrets too: what follows the question mark is not shown.
    const what = `${request.method} ${address.replace(/\?.*/s, '')}`;
    const { idleMs, totalMs, maxBytes } = this.#patience;
    const upload = Math.round((request.body?.length ?? 0) / slowestUpload);
    const bounds = { idleMs: idleMs + upload, totalMs: totalMs + upload, maxBytes, signal };
    let answer: BoundedAnswer;
    try {
      // Who sends a request on must not choose who gets what is in it.
      answer = await boundedFetch(address, { ...request, redirect: 'manual' }, bounds);
    } catch (error) {
      throw this.problem(`${what}: ${reasonOf(error as Error)}`);
    }
    const { ok, status } = answer;
    const text = answer.body.toString();
    if (!ok) {
      const advice =
        status === 401 || status === 403
          ? `. Check ${this.#credentials.variables}`
          : status >= 300 && status < 400
            ? ', which sends us elsewhere. Give the address that the server itself has'
            : '';
      throw this.problem(
        `${what}: the answer is ${`${status} ${this.#excerpt(text)}`.trim()}${advice}`,
        status,
      );
    }
    return parseObject(text);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no such host, or no network',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
};

/** What `fetch failed` hides. */
function reasonOf({ message, cause }: Error): string {
  const { code = '', message: hidden } = (cause ?? {}) as NodeJS.ErrnoException;
  // The codes of fetch itself say less than its words.
  return reasons[code] ?? (code.startsWith('UND_ERR') ? hidden : code || hidden || message);
}

/** Answers that nobody reads need not be JSON. */
function parseObject(text: string): Json {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Json) : {};
  } catch {
    return {};
  }
}
