// Cells of small files for tests: as they are opened, and as they were before they were scaled.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import type { ExpressionRecord } from '../../src/data/expression/record.ts';
import { type ExpressionOptions, openExpression } from '../../src/sources/expression/source.ts';
import type { ExpressionData } from '../../src/sources/settings.ts';
import type { Source } from '../../src/data/source.ts';
import { type TinyFile, writeTiny } from './h5ad.ts';

export const COUNTS = [
  [4, 0, 4, 0],
  [0, 1, 0, 0],
  [1, 0, 2, 5],
  [0, 0, 0, 0],
];
export const TINY: TinyFile = { X: COUNTS, cells: 4, genes: ['g0', 'g1', 'g2', 'g3'] };
export const kinds = { codes: [1, 0, 1, 0], categories: ['B', 'T'] };

export interface Files {
  /** A path below a folder that is there as long as the tests run, by default another one each time. */
  path(name?: string): string;
  /** Writes a file, like TINY where nothing else is said, and opens it. */
  open(
    file: Partial<TinyFile>,
    settings?: Partial<ExpressionData>,
    options?: ExpressionOptions,
  ): Promise<Source>;
}

/** To be called once, where tests are described. */
export function temporaryFiles(): Files {
  let folder: string;
  let files = 0;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'expression-'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const path = (name = `${files++}.h5ad`): string => join(folder, name);
  return {
    path,
    async open(file, settings = {}, options = {}) {
      const written = path();
      await writeTiny(written, { ...TINY, ...file });
      return openCells(written, settings, options);
    },
  };
}

export function openCells(
  path: string,
  settings: Partial<ExpressionData> = {},
  options: ExpressionOptions = {},
): Promise<Source> {
  const data: ExpressionData = {
    source: 'expression',
    path,
    layer: 'X',
    normalize: 'auto',
    target: 100,
    variableGenes: 0,
    scaleGenes: false,
    holdOut: 0,
    split: 'train',
    ...settings,
  };
  return openExpression(data, options);
}

/** All cells as the values they had before they were scaled. */
export function unscaled(source: Source): number[][] {
  const { center, deviation } = source.record as ExpressionRecord;
  return Array.from({ length: source.count }, (_, index) => {
    const out = new Float32Array(source.shape[0]! + 1);
    void source.read(index, out, 1, { seed: 0, epoch: 0 });
    return Array.from(out.subarray(1), (value, gene) => {
      return value * deviation[gene % deviation.length]! + center[gene % center.length]!;
    });
  });
}

export function expectCells(source: Source, wanted: readonly (readonly number[])[]): void {
  const found = unscaled(source);
  expect(found.length).toBe(wanted.length);
  wanted.flat().forEach((value, i) => expect(found.flat()[i]).toBeCloseTo(value, 5));
}

export const NORMALIZED: number[][] = COUNTS.map((cell) => {
  const total = cell.reduce((sum, count) => sum + count, 0);
  return cell.map((count) => (total === 0 ? 0 : Math.log1p((100 * count) / total)));
});
