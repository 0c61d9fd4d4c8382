// What a run records of the browser that it began in.
import { version } from '../../../package.json';
import type { Machine } from '../../../src/kept/machine.ts';

/** Of rectiflow, that this page is of. */
export { version };

/** As much as browsers tell: no name, and no more of the memory than a rounded number, if any. */
export function describeBrowser(): Machine {
  const { hardwareConcurrency, userAgent } = navigator;
  const { deviceMemory = 0, userAgentData } = navigator as {
    readonly deviceMemory?: number;
    readonly userAgentData?: { readonly platform: string };
  };
  return {
    host: 'a browser',
    platform: userAgentData?.platform || 'unknown',
    arch: 'unknown',
    node: `none: ${userAgent}`,
    cpu: 'unknown',
    cores: hardwareConcurrency,
    memory: deviceMemory * 2 ** 30,
  };
}
