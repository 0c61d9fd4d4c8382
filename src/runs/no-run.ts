import { access, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, parse } from 'node:path';
import { type RectiflowError, runError } from '../tensor/errors.ts';
import { didYouMean } from '../tensor/suggest.ts';

/** Where commands make runs, unless they are told otherwise. */
const RUNS = 'runs';
const SHOWN = 5;

/** Why a path is no run, and what was probably meant by it. */
export async function noRun(path: string): Promise<RectiflowError> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) {
    const inside = await runsIn(path);
    if (inside.length === 0)
      return runError(path, 'is no run: it has no config.json', 'Give the folder of a run');
    return runError(path, 'is no run, but holds some', `Give one of them: ${someOf(inside)}`);
  }
  if (found) return noFolder(path);
  const siblings = await readdir(dirname(path)).catch((): string[] => []);
  const guess = didYouMean(basename(path), siblings) || didYouMean(join(RUNS, path), await runsIn(RUNS));
  return runError(path, 'is no run: there is no such folder', `Give the folder of a run.${guess}`);
}

async function noFolder(path: string): Promise<RectiflowError> {
  const folder = dirname(path);
  const siblings = await runsIn(dirname(folder));
  if (basename(path) === 'config.json' && siblings.includes(folder))
    return runError(path, 'is a file of a run', `Give the folder of the run: ${folder}`);
  if (!/\.(ya?ml|json)$/i.test(path))
    return runError(path, 'is a file, not the folder of a run', 'Give the folder of a run');
  const { name } = parse(path);
  const made = (await runsIn(RUNS)).filter((run) => {
    const rest = basename(run).startsWith(name) ? basename(run).slice(name.length) : undefined;
    return rest !== undefined && /^(-\d+)?$/.test(rest);
  });
  const or = made.length === 0 ? '' : `, or give a run that was made of it: ${someOf(made)}`;
  return runError(
    path,
    'is a config, not the folder of a run',
    `Train it with: rectiflow train ${path}${or}`,
  );
}

/** The folders of runs in a folder, in the order of their names. */
async function runsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((): string[] => []);
  const runs = await Promise.all(
    names.map(async (name) => {
      const run = join(folder, name);
      return access(join(run, 'config.json')).then(
        () => [run],
        () => [],
      );
    }),
  );
  return runs.flat().toSorted();
}

function someOf(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return names.slice(0, SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
