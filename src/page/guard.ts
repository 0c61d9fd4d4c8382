// Who may ask: nothing but the page that this server served, with the token of its link. A site that is open in the same browser can
// send requests to a server on this machine, also under a name of its own that it makes lead here (DNS rebinding).
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { hostname, networkInterfaces } from 'node:os';
import { Refusal } from './refusal.ts';

/** 32 random bytes, as text for a URL. */
export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

/** Of every answer. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; worker-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

const loopback = ['127.0.0.1', 'localhost', '::1'];
const wildcards = new Set(['0.0.0.0', '::']);

/** Whether only this machine reaches a server there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** A host as URLs have it: addresses of IPv6 stand in brackets. */
export function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** The names of this machine that a server can be asked by which listens at `host`; those of other machines go first. */
export function namesOf(host: string): readonly string[] {
  if (!wildcards.has(host)) return [host];
  const addresses = Object.values(networkInterfaces()).flatMap((all = []) => all);
  const outer = addresses.filter(({ internal }) => !internal).map(({ address }) => address);
  return [...outer, hostname()];
}

/** What `Host` may say, in small letters. */
export function allowedHosts(host: string, port: number): ReadonlySet<string> {
  const names = [...loopback, ...namesOf(host)].map((name) => urlHost(name).toLowerCase());
  const isDefault = port === 80;
  return new Set(names.flatMap((name) => [`${name}:${port}`, ...(isDefault ? [name] : [])]));
}

type Header = (name: string) => string | undefined;

/** @throws Refusal where a request is not from this server's own page, or by another name than its own */
export function checkOrigin(header: Header, hosts: ReadonlySet<string>): void {
  const host = header('host')?.toLowerCase();
  if (host === undefined || !hosts.has(host))
    throw new Refusal(
      403,
      `This server is not asked as ${host ?? 'nobody'}. Open the link that rectiflow watch printed.`,
    );
  const origin = header('origin')?.toLowerCase();
  if (origin !== undefined && ![...hosts].some((each) => origin === `http://${each}`))
    throw new Refusal(403, `This server does not answer pages of ${origin}, but only its own.`);
}

/** Compared in constant time. @throws Refusal where it is not there or another */
export function checkToken(header: Header, token: string): void {
  const [, given] = /^Bearer +(\S+)$/i.exec(header('authorization') ?? '') ?? [];
  if (given !== undefined && timingSafeEqual(digest(given), digest(token))) return;
  throw new Refusal(
    401,
    'The token of the link is missing or is of an earlier start. Open the link that rectiflow watch printed.',
  );
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
