// Real cells that a page shows generated ones among: of the run's data, where they are still there.
import { genesOf } from '../../known/data-record.ts';
import { compareData } from '../../known/compare-data.ts';
import { type StoredCells, fewestCells, storeCells } from '../../share/cells.ts';
import { counted } from '../../tensor/counted.ts';
import { RectiflowError } from '../../tensor/errors.ts';
import { withSource } from '../parts.ts';
import { readCells } from '../real-cells.ts';
import type { RunModel } from '../run-sampler.ts';

export interface CellOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onNotice?: ((text: string) => void) | undefined;
}

/**
 * Of the cells trained on; those held out have no part in it. Undefined of other models, and where there are no such cells any more,
 * which is told.
 */
export async function cellsToShow(
  { config, saved, data }: RunModel,
  { signal, onNotice }: CellOptions,
): Promise<StoredCells | undefined> {
  const genes = genesOf(data.record);
  if (genes === undefined) return undefined;
  const without = (problem: string): undefined =>
    void onNotice?.(`the page shows no real cells beside generated ones: ${problem}`);
  try {
    return await withSource(
      config.data,
      { onBadSample: config.loader.onBadSample, known: saved },
      async (given) => {
        const { source } = await compareData(given, { checkpoint: saved, model: config.model });
        if (source.paired) return without(`${source.name} holds pairs that a model made, no cells`);
        if (source.count < fewestCells)
          return without(
            `there are ${counted(source.count, 'cell')}, and fewer than ${fewestCells} would be told apart`,
          );
        const cells = await readCells(source, signal);
        return storeCells(cells, genes.length, data.classNames?.length ?? 1);
      },
    );
  } catch (error) {
    if (!(error instanceof RectiflowError)) throw error;
    return without(error.message);
  }
}
