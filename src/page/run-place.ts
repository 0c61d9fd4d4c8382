// From the name of a run, which a request brings, to its folder: directly below the folder of runs and nowhere else.
import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, sep } from 'node:path';
import { CONFIG, METRICS } from '../kept/layout.ts';
import { listCheckpoints } from '../runs/checkpoint.ts';
import { checkpointFolder } from '../runs/run-folder.ts';
import { LeadsOut, Refusal } from './refusal.ts';
import { isThere } from './run-record.ts';

/** Where a run is. */
export interface RunPlace {
  /** As the request has it. */
  readonly name: string;
  /** Without symbolic links. */
  readonly path: string;
}

/** Of a file system, in bytes. */
const longestName = 255;

/** Whether a text can be the name of a folder: one segment of a path, that leads nowhere else. */
export function isName(name: string): boolean {
  const isPlain = name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name) && !isAbsolute(name);
  // Where backslashes and colons part paths, they are in no name.
  const isOneSegment = basename(name) === name && (sep === '/' || !/[\\:]/.test(name));
  return isPlain && isOneSegment && !/\p{Surrogate}/u.test(name) && Buffer.byteLength(name) <= longestName;
}

/**
 * @param runs the folder of runs
 * @throws Refusal where there is no such run, or a symbolic link leads out of the folder of runs
 */
export async function placeOf(runs: string, name: string): Promise<RunPlace> {
  if (!isName(name)) throw new Refusal(404, `"${name}" is not the name of a run.`);
  const missing = new Refusal(404, `There is no run "${name}": it was deleted or renamed.`);
  const root = await realpath(runs).catch(() => {
    throw missing;
  });
  const path = await realpath(join(root, name)).catch(() => {
    throw missing;
  });
  if (dirname(path) !== root)
    throw new LeadsOut(`The run "${name}" is a symbolic link that leads out of the folder of runs.`);
  if (!(await isRun(path))) throw missing;
  return { name, path };
}

/** Whether a folder is that of a run, be it one that has lost its config. */
async function isRun(path: string): Promise<boolean> {
  if ((await isThere(join(path, CONFIG))) || (await isThere(join(path, METRICS)))) return true;
  return (await listCheckpoints(checkpointFolder(path)).catch(() => [])).length > 0;
}

/**
 * The path of a file of a run without symbolic links; undefined where it is not there.
 * @throws Refusal where it leads out of the run: a folder that came from elsewhere must not show the files of this machine
 */
export async function fileOf(run: string, ...segments: readonly string[]): Promise<string | undefined> {
  const path = await realpath(join(run, ...segments)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'ELOOP') return undefined;
    throw error;
  });
  if (path === undefined || path.startsWith(run + sep)) return path;
  throw new LeadsOut(`${segments.join('/')} is a symbolic link that leads out of the run.`);
}
