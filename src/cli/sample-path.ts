import type { SamplePathOptions } from '../api/sample-path.ts';
import { formatInteger } from './format.ts';
import { shortPath } from './paths.ts';

/** Writes the path of a sample. @param folder chooses where, once it is there @returns what people are told of it */
export async function pathLines(
  run: string,
  options: SamplePathOptions,
  folder: () => Promise<string>,
): Promise<string[]> {
  const { samplePath } = await import('../api/sample-path.ts');
  const { writePath } = await import('../runner/samples/write-path.ts');
  const path = await samplePath(run, options);
  const { numbers, sheet } = await writePath(await folder(), path);
  return [
    `The path of a sample of step ${formatInteger(path.step)}, in numbers: ${shortPath(numbers)}`,
    ...(sheet === undefined ? [] : [`Look at ${shortPath(sheet)}`]),
  ];
}
