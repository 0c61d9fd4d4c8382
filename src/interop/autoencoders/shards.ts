// Weights that lie in several files, as an index of diffusers says: {"weight_map": {"name": "file"}}.
import { basename, dirname, join } from 'node:path';
import { readRegular } from '../../host/regular-file.ts';
import { parseJsonObject } from '../../formats/json.ts';
import { fileError, systemProblem } from '../../tensor/errors.ts';
import { shownJson } from '../../tensor/shown-json.ts';
import { type LazyTensor, type LazyTensors, openWeights } from '../weights-file.ts';

const again = 'Get the folder again';

/**
 * @param index the path of the index
 * @throws RectiflowError where it is damaged, names a file of another folder, or a tensor that its file does not have
 */
export async function openShards(index: string): Promise<LazyTensors> {
  const bytes = await readRegular(index).catch((error: unknown) => {
    throw fileError(index, systemProblem(error), again, error);
  });
  const { weight_map: map } = parseJsonObject(bytes, index, again);
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw fileError(index, `has a weight_map of ${shownJson(map)}, wanted file names by tensor`, again);
  }
  const files = new Map<string, LazyTensors>();
  const tensors = new Map<string, LazyTensor>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== 'string' || file !== basename(file) || file === '' || file === '..') {
      throw fileError(
        index,
        `names the file ${shownJson(file)} for ${name}, wanted one of its folder`,
        again,
      );
    }
    const opened = files.get(file) ?? (await openWeights(join(dirname(index), file))).sets.model;
    if (opened === undefined) throw fileError(index, `names ${file}, which has no weights`, again);
    files.set(file, opened);
    const tensor = opened.get(name);
    if (tensor === undefined)
      throw fileError(index, `says that ${file} has ${name}, which it does not`, again);
    tensors.set(name, tensor);
  }
  return tensors;
}
