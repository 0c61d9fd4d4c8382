import { cpus, hostname, totalmem } from 'node:os';
import { packageManifest } from './package-folder.ts';

/** The version of this package. */
export const version: string = packageManifest.version;

/** Where a run was started, for its record. */
export interface Machine {
  readonly host: string;
  readonly platform: string;
  readonly arch: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
}

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
