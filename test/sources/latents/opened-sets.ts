// Sets of latents as they are read, in folders that are removed after the tests of a file.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { Annotation, Source } from '../../../src/data/source.ts';
import { openLatents } from '../../../src/sources/latents/open.ts';
import type { LatentSourceOptions } from '../../../src/sources/latents/source.ts';
import type { LatentsData } from '../../../src/sources/settings.ts';

export interface OpenedSets {
  /** The name of a new folder. */
  folder(): string;
  /** With draws, unmirrored and unscaled where nothing else is said; it is closed after the test. */
  open(
    path: string,
    change?: Partial<LatentsData>,
    options?: Omit<LatentSourceOptions, 'data'>,
  ): Promise<Source>;
  read(source: Source, index: number, epoch?: number): Promise<[number[], Annotation]>;
}

export function openedSets(): OpenedSets {
  let root: string;
  let made = 0;
  const opened: Source[] = [];
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'latents-'));
  });
  afterEach(async () => {
    for (const source of opened.splice(0)) await source.close!();
  });
  afterAll(() => rm(root, { recursive: true }));
  return {
    folder: () => join(root, String(made++)),
    async open(path, change = {}, options = {}) {
      const scaling = { scale: 1, shift: 0 };
      const data = { source: 'latents', path, condition: 'auto', draw: true, flip: 0, scaling } as const;
      opened.push(await openLatents({ ...data, ...change }, 'fail', options));
      return opened.at(-1)!;
    },
    async read(source, index, epoch = 0) {
      const out = new Float32Array(source.shape.reduce((product, side) => product * side, 1));
      const annotation = await source.read(index, out, 0, { seed: 7, epoch });
      return [[...out], annotation];
    },
  };
}
