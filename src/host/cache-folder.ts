import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * Where what can be had again is kept, for all projects of a user: $XDG_CACHE_HOME/rectiflow, by default ~/.cache/rectiflow; on Windows
 * %LOCALAPPDATA%\rectiflow.
 */
export function cacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  const windows = process.platform === 'win32' ? LOCALAPPDATA : undefined;
  return resolve(XDG_CACHE_HOME || windows || join(homedir(), '.cache'), 'rectiflow');
}
