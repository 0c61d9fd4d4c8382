// Cells of a data set, in memory and without the model's scale.
import { type CellSet, evenShare } from '../data/expression/cell-set.ts';
import { unscale } from '../data/expression/denormalize.ts';
import type { ExpressionRecord } from '../data/expression/record.ts';
import type { Source } from '../data/source.ts';

/** Cells of a set that are held in memory, of all classes in proportion: pairs of more take minutes. */
const mostCells = 2000;

export interface RealCells extends CellSet {
  readonly classNames: readonly string[] | undefined;
  /** How many the set has. */
  readonly all: number;
}

/**
 * Reads 2,000 cells at most, spread evenly over those of each class. Values are taken as they are: none is cut to zero.
 * @param source of gene expression
 */
export async function readCells(
  source: Source,
  signal: AbortSignal | undefined,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<RealCells> {
  const genes = source.shape[0]!;
  const cell = new Float32Array(genes);
  const classes: number[] = [];
  for (let index = 0; index < source.count; index++) {
    classes.push(await readCell(source, index, cell));
    signal?.throwIfAborted();
    onProgress(index + 1, source.count);
  }
  const chosen = evenShare(classes, source.classes ?? 1, mostCells);
  const values = new Float32Array(chosen.length * genes);
  for (const [at, index] of chosen.entries()) await readCell(source, index, values, at * genes);
  return {
    values: unscale(values, source.record as ExpressionRecord),
    labels: chosen.map((index) => classes[index]!),
    classNames: source.classNames,
    all: source.count,
  };
}

async function readCell(source: Source, index: number, out: Float32Array, offset = 0): Promise<number> {
  return (await source.read(index, out, offset, { seed: 0, epoch: 0 })).label ?? 0;
}
