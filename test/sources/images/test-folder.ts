// Small folders of images, made for a test and removed behind it.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { openFolder } from '../../../src/sources/images/folder.ts';
import type { FolderData } from '../../../src/sources/settings.ts';
import type { Source } from '../../../src/data/source.ts';
import { describeUnused } from '../../../src/data/told.ts';
import { plain, settingsOf } from './pictures.ts';

const picture = await plain('#336699', 4, 4).png().toBuffer();

export interface TestFolder {
  /** Of this test. */
  readonly root: string;
  /** Writes files, of which null is a picture, and opens the folder. */
  open(files: Record<string, string | null>, change?: Partial<FolderData>): Promise<Source>;
}

/** A new folder for each test of the file. */
export function testFolder(): TestFolder {
  let root = '';
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'rectiflow-told-'));
  });
  afterEach(async () => {
    await rm(root, { recursive: true, force: true });
  });
  return {
    get root() {
      return root;
    },
    async open(files, change = {}) {
      for (const [name, content] of Object.entries(files)) {
        await mkdir(dirname(join(root, name)), { recursive: true });
        await writeFile(join(root, name), content ?? picture);
      }
      return openFolder({ source: 'folder', path: root, condition: 'auto', ...settingsOf(4), ...change });
    },
  };
}

export async function captionAt(source: Source, index: number, epoch = 0): Promise<string | undefined> {
  const { caption } = await source.read(index, new Float32Array(3 * 4 * 4), 0, { seed: 0, epoch });
  return caption;
}

export function unusedIn(source: Source): string[] {
  return (source.unused ?? []).map(describeUnused);
}
