// Gene expression: samples as cells, in the plane of the real ones and gene by gene.
import { toCells, unscale } from '../../src/data/expression/denormalize.ts';
import { type ExpressionRecord, expressionRecordOf } from '../../src/data/expression/record.ts';
import { type ShownCells, meanOf, planeOf } from '../../src/share/cells.ts';
import type { Film } from './model.svelte.ts';
import type { Frame, MakeRequest, Ready } from './protocol.ts';

/** Undefined of models of something else. */
export function recordOf({ manifest }: Ready): ExpressionRecord | undefined {
  return expressionRecordOf(manifest.data.record);
}

export function typesOf({ manifest }: Ready): readonly string[] {
  return manifest.data.classNames ?? ['all cells'];
}

/** Types of so many cells in the proportions of the data, those of one type together. @param composition cells of each type */
export function allot(composition: readonly number[], count: number): number[] {
  const all = composition.reduce((sum, cells) => sum + cells, 0);
  let before = 0;
  return composition.flatMap((cells, label) => {
    const start = Math.round((before * count) / all);
    before += cells;
    return new Array<number>(Math.round((before * count) / all) - start).fill(label);
  });
}

/** The type of each sample. */
export function labelsOf({ label, labels, count }: MakeRequest): readonly number[] {
  return labels ?? new Array<number>(count).fill(label ?? 0);
}

/** Cells that `rectiflow sample` would write of samples that are done. */
export function finished(
  x: Float32Array,
  request: MakeRequest,
  record: ExpressionRecord,
): ReturnType<typeof toCells> {
  return toCells(x, record, { labels: labelsOf(request), seed: request.seed });
}

/** Expression [count, genes] of samples on their way: at its end they become cells, before it is what the model sees. */
export function expressionOf(
  frame: Pick<Frame, 'x' | 'index'>,
  film: Film,
  record: ExpressionRecord,
): Float32Array {
  if (frame.index < film.request.steps) return unscale(frame.x, record);
  return finished(frame.x, film.request, record).values;
}

const planes = new WeakMap<Float32Array, Float32Array>();

/** Where the samples of a frame are, [count, 2]. Computed once for each. */
export function placesOf(
  frame: Frame,
  film: Film,
  record: ExpressionRecord,
  cells: ShownCells,
): Float32Array {
  const known = planes.get(frame.x);
  if (known !== undefined) return known;
  const places = planeOf(expressionOf(frame, film, record), cells.projection);
  planes.set(frame.x, places);
  return places;
}

export interface TypeRow {
  readonly name: string;
  readonly label: number;
  readonly real: number;
  readonly made: number;
  /** Where they are on average. */
  readonly realAt: readonly [number, number] | undefined;
  readonly madeAt: readonly [number, number] | undefined;
}

/** @param places of the samples */
export function typeRows(
  types: readonly string[],
  cells: ShownCells,
  labels: readonly number[],
  places: Float32Array | undefined,
): TypeRow[] {
  return types.map((name, label) => {
    const real = placesOfType(cells.points, cells.labels, label);
    const made = places ? placesOfType(places, labels, label) : [];
    const [realAt, madeAt] = [real, made].map((points) =>
      points.length === 0 ? undefined : middleOf(points),
    );
    return { name, label, real: real.length, made: made.length, realAt, madeAt };
  });
}

function placesOfType(places: Float32Array, labels: ArrayLike<number>, label: number): [number, number][] {
  return Array.from(labels).flatMap((each, i): [number, number][] =>
    each === label ? [[places[2 * i]!, places[2 * i + 1]!]] : [],
  );
}

function middleOf(points: readonly (readonly [number, number])[]): [number, number] {
  const sum = points.reduce(([x, y], [px, py]) => [x + px, y + py], [0, 0] as const);
  return [sum[0] / points.length, sum[1] / points.length];
}

export interface GeneRow {
  readonly gene: string;
  readonly made: number;
  /** Of real cells; undefined where it was not shared. */
  readonly real: number | undefined;
}

export type GeneOrder = 'made' | 'difference';

/** The mean expression of real cells like those that are made; undefined where it was not shared. */
export function realMeanOf(
  cells: ShownCells | null,
  { label, labels }: MakeRequest,
): ArrayLike<number> | undefined {
  return labels ? cells?.projection.mean : cells?.means[label ?? 0];
}

/**
 * Genes by the mean expression of samples beside that of real cells.
 * @param expression [N, genes]
 * @param real [genes]
 * @param most so many
 */
export function geneRows(
  expression: Float32Array,
  real: ArrayLike<number> | undefined,
  { genes }: ExpressionRecord,
  { order, most }: { readonly order: GeneOrder; readonly most: number },
): GeneRow[] {
  const made = meanOf(expression, genes.length);
  const rows = genes.map((gene, i): GeneRow => ({ gene, made: made[i]!, real: real?.[i] }));
  const size = (row: GeneRow): number =>
    order === 'difference' && row.real !== undefined ? Math.abs(row.made - row.real) : row.made;
  return rows.toSorted((a, b) => size(b) - size(a)).slice(0, most);
}

/** Cells in rows, genes in columns (RFC 4180). @param values [labels, genes] */
export function csvOf(
  values: Float32Array,
  { genes, label: column = 'class' }: ExpressionRecord,
  labels: readonly number[],
  types: readonly string[] | undefined,
): string {
  const head = ['cell', ...(types ? [column] : []), ...genes];
  const rows = labels.map((label, cell) => [
    `cell-${cell}`,
    ...(types ? [types[label]!] : []),
    ...Array.from(values.subarray(cell * genes.length, (cell + 1) * genes.length), shortNumber),
  ]);
  return [head, ...rows].map((row) => `${row.map(quoted).join(',')}\r\n`).join('');
}

/** As many digits as a float32 has. */
function shortNumber(value: number): string {
  return String(Number(value.toPrecision(9)));
}

function quoted(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
