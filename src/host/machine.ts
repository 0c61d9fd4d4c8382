import { cpus, hostname, totalmem } from 'node:os';
import type { Machine } from '../kept/machine.ts';
import { packageManifest } from './package-folder.ts';

/** The version of this package. */
export const version: string = packageManifest.version;

export function describeMachine(): Machine {
  const cores = cpus();
  return {
    host: hostname(),
    platform: process.platform,
    arch: process.arch,
    node: process.version,
    cpu: cores[0]?.model ?? 'unknown',
    cores: cores.length,
    memory: totalmem(),
  };
}
