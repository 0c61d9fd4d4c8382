import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withPngText } from '../../formats/png-text.ts';
import { type Canvas, drawGrid, writePng } from '../../pictures/image.ts';
import { drawPathSheet } from '../../pictures/path-sheet.ts';
import { fileError, systemProblem } from '../../tensor/errors.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { PathOfSample } from './path-of-sample.ts';
import { type PathPictures, type PathRow, pathPictures } from './path-pictures.ts';
import { refuseFilled } from './write-samples.ts';

const titles: Readonly<Record<PathRow, string>> = {
  state: 'x',
  velocity: 'velocity v',
  foreseen: 'x - t v',
};

export interface WrittenPath {
  /** The numbers, as JSON. */
  readonly numbers: string;
  /** Where it stands, its velocity and where it leads, at some times; undefined where samples are no pictures. */
  readonly sheet: string | undefined;
}

/**
 * Writes folder/path.json and, of pictures, folder/path.png. What it was made with is in both, in the text `rectiflow` of the PNG.
 * @throws RectiflowError when the folder holds files already, or a file cannot be written
 */
export async function writePath(folder: string, path: PathOfSample): Promise<WrittenPath> {
  await refuseFilled(folder);
  const numbers = join(folder, 'path.json');
  const { times, speeds, angles, annotation, made } = path;
  const told = { ...annotation, times, speeds, angles, made };
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(numbers, `${JSON.stringify(told, null, 2)}\n`);
  } catch (error) {
    throw fileError(numbers, systemProblem(error), 'Check the path and the disk', error);
  }
  const pictures = pathPictures(path);
  if (pictures === undefined) return { numbers, sheet: undefined };
  const rows = Array.from(pictures.rows, ([row, values]) => ({ title: titles[row], values }));
  const sheet = join(folder, 'path.png');
  await write(sheet, path, await drawPathSheet({ times, shape: pictures.shape, rows }));
  return { numbers, sheet };
}

/** Pictures of a path in a grid without gaps: those of the first time, then those of the next. */
export interface PathGrid {
  /** What the pictures of a time show, in their order. */
  readonly rows: readonly PathRow[];
  /** Pixels of each. */
  readonly width: number;
  readonly height: number;
  /** How many are in a row of the grid. */
  readonly columns: number;
}

/** Writes all pictures of a path as one PNG. @throws RectiflowError when it cannot be written */
export async function writePathGrid(
  file: string,
  path: PathOfSample,
  { shape, rows }: PathPictures,
): Promise<PathGrid> {
  const size = sizeOf(shape);
  const count = path.times.length * rows.size;
  const pixels = new Float32Array(count * size);
  [...rows.values()].forEach((values, row) => {
    for (let time = 0; time < path.times.length; time++)
      pixels.set(values.subarray(time * size, (time + 1) * size), (time * rows.size + row) * size);
  });
  const columns = Math.ceil(Math.sqrt(count));
  await write(file, path, drawGrid(pixels, shape, { columns, gap: 0 }));
  return { rows: [...rows.keys()], width: shape[2], height: shape[1], columns };
}

async function write(file: string, { made }: PathOfSample, canvas: Canvas): Promise<void> {
  await writePng(file, canvas);
  if (made) await writeFile(file, withPngText(await readFile(file), 'rectiflow', JSON.stringify(made)));
}
