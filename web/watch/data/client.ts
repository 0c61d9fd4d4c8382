// Requests to the server. Who may ask has the token, which the link brings behind its `#`, where no server and no log sees it.
import type { Failure } from '../../../src/page/contract.ts';

const KEY = 'rectiflow-token';

/** A request that failed, with a sentence for people. */
export class RequestError extends Error {
  /** 0 where no answer came. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Keeps the token of `#token=...` for this address, tabs that are opened later included, and takes it out of the address bar. The
 * server makes a new one whenever it starts.
 */
export function takeToken(): void {
  const found = /^#token=([\w-]+)/.exec(location.hash);
  if (found === null) return;
  localStorage.setItem(KEY, found[1]!);
  history.replaceState(null, '', '#/');
}

export function hasToken(): boolean {
  return localStorage.getItem(KEY) !== null;
}

/** @throws RequestError whatever goes wrong, but for a request that was aborted */
export async function request(path: string, options: RequestInit = {}): Promise<Response> {
  const headers = new Headers(options.headers);
  headers.set('Authorization', `Bearer ${localStorage.getItem(KEY) ?? ''}`);
  let response: Response;
  try {
    response = await fetch(path, { ...options, headers, cache: 'no-store' });
  } catch (error) {
    if (options.signal?.aborted === true) throw error;
    throw new RequestError(0, 'The server does not answer. Is rectiflow watch still running?');
  }
  if (response.ok) return response;
  if (response.status === 401) {
    throw new RequestError(401, 'This page needs the link that rectiflow watch printed when it was started.');
  }
  const text = await response.text();
  throw new RequestError(response.status, sentenceOf(text) ?? `The server answered ${response.status}.`);
}

function sentenceOf(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as Partial<Failure>;
    return typeof error === 'string' ? error : undefined;
  } catch {
    return undefined;
  }
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, signal === undefined ? {} : { signal });
  return (await response.json()) as T;
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { 'Content-Type': 'application/json' };
  const response = await request(path, { method: 'POST', headers, body: JSON.stringify(body) });
  return (await response.json()) as T;
}

/** The address of a run, or of something of it. */
export function ofRun(run: string, rest = ''): string {
  return `api/runs/${encodeURIComponent(run)}${rest}`;
}

/** What went wrong, for people. */
export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
