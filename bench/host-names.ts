// What the machines of bench/hosts.ts are called.

/** @param host from 1 */
export function hostName(host: number): string {
  return `host${host}`;
}

/** All of them, and, as number 0, what runs beside them. */
export const network = {
  mask: '10.77.0.0/24',
  address: (host: number): string => `10.77.0.${host === 0 ? 254 : host}`,
};
