// How pictures are gone through within a bound on memory: many at once, one by one, or each in tiles.
import type { Backend } from '../backends/backend.ts';
import { placeBeside, planMemory } from '../program/index.ts';
import { grouped } from '../tensor/counted.ts';
import { RectiflowError } from '../tensor/errors.ts';
import type { Direction, Pass } from './passes.ts';
import { type Tiling, leastTile, tile } from './tiles.ts';

export interface Layout {
  /** Pictures of a run, or, of tiles, one. */
  readonly atOnce: number;
  readonly rows: Tiling;
  readonly columns: Tiling;
  /** Whether tiles fade into each other, because none of them sees all that it should. */
  readonly isBlended: boolean;
  /** Bytes that one whole picture would take. */
  readonly wholeBytes: number;
}

/** Of tiles that cannot be exact: what they see of each other, in latent pixels. */
const blendedOverlap = 16;

/** Bytes that a run takes: what is made on the way, what goes in and comes out, and what kernels need. */
export function bytesOf(backend: Backend, pass: Pass, count: number, rows: number, columns: number): number {
  const program = backend.lower(pass.program(count, rows, columns));
  const plan = planMemory(program);
  return plan.arenaBytes + placeBeside(program, plan).bytes + (backend.scratchBytes?.(program) ?? 0);
}

/** A pass, and how pictures are taken through it. */
export interface Step {
  readonly pass: Pass;
  readonly layout: Layout;
}

type Grid = readonly [count: number, rows: number, columns: number];

/**
 * What fits is never tiled, and taken through all of an encoder or a decoder at once. Tiles are exact where a pixel sees no further than
 * their overlap allows for: so each part of what does not fit is laid out on its own.
 * @param grid pictures, and latent pixels of their sides
 * @param memory bytes that a run may take
 * @throws RectiflowError where the smallest tile takes more
 */
export function stepsOf(
  backend: Backend,
  { name, whole, passes }: Direction,
  grid: Grid,
  memory: number,
): Step[] {
  const [, rows, columns] = grid;
  if (bytesOf(backend, whole, 1, rows, columns) <= memory) {
    return [{ pass: whole, layout: layOut(backend, whole, grid, memory, name) }];
  }
  return passes.map((pass) => ({ pass, layout: layOut(backend, pass, grid, memory, name) }));
}

function layOut(
  backend: Backend,
  pass: Pass,
  [count, height, width]: Grid,
  memory: number,
  where: string,
): Layout {
  const bytes = (of: number, rows: number, columns: number): number =>
    bytesOf(backend, pass, of, rows, columns);
  const wholeBytes = bytes(1, height, width);
  const isBlended = pass.reach === undefined;
  if (wholeBytes <= memory) {
    let atOnce = Math.min(count, Math.floor(memory / wholeBytes));
    while (atOnce > 1 && bytes(atOnce, height, width) > memory) atOnce--;
    return { atOnce, rows: tile(height, 1, 0), columns: tile(width, 1, 0), isBlended, wholeBytes };
  }
  const overlap = pass.reach === undefined ? blendedOverlap : 2 * pass.reach;
  let [rows, columns] = [tile(height, 1, overlap), tile(width, 1, overlap)];
  let needed = wholeBytes;
  while (needed > memory) {
    const [shorter, narrower] = [smaller(height, rows, overlap), smaller(width, columns, overlap)];
    if (shorter && (rows.size >= columns.size || !narrower)) rows = shorter;
    else if (narrower) columns = narrower;
    else throw tooSmall(where, memory, needed);
    needed = bytes(1, rows.size, columns.size);
  }
  return { atOnce: 1, rows, columns, isBlended, wholeBytes };
}

/** With one tile more; undefined where they would be no smaller, or too small to overlap in pairs. */
function smaller(side: number, { starts }: Tiling, overlap: number): Tiling | undefined {
  const count = starts.length + 1;
  const tiling = tile(side, count, overlap);
  return tiling.size >= side || (count > 2 && tiling.size < leastTile(overlap)) ? undefined : tiling;
}

function tooSmall(where: string, memory: number, needed: number): RectiflowError {
  const given = mebibytes(memory, Math.floor);
  return new RectiflowError(
    'memory',
    `${where}: the smallest tile takes ${mebibytes(needed)}, more than the memory that is given, ${given}. Give at least ${mebibytes(needed)}.`,
  );
}

/** `2,048 MiB`. @param round of what is needed up, of what there is down */
export function mebibytes(bytes: number, round: (count: number) => number = Math.ceil): string {
  return `${grouped(round(bytes / 2 ** 20))} MiB`;
}
