import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readJsonFile, writeJsonFile } from '../../src/host/json-file.ts';
import { temporaryFolder } from '../support/cli.ts';

describe('a file of JSON', () => {
  it('is read as it was written, in a folder that is made for it', async () => {
    const path = join(await temporaryFolder(), 'a', 'b.json');
    expect(await readJsonFile(path)).toBeUndefined();
    await writeJsonFile(path, { a: [1] }, true);
    await writeJsonFile(path, { a: [2] });
    expect(await readJsonFile(path)).toEqual({ a: [2] });
    expect(await readdir(join(path, '..'))).toEqual(['b.json']);
  });

  it('says what is wrong with one that cannot be read', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'a.json');
    await writeFile(path, '{"a": ');
    await expect(readJsonFile(path)).rejects.toThrow('it is damaged, as it is no JSON');
    await expect(readJsonFile(folder)).rejects.toThrow('is a folder, not a file');
  });

  it('is not written where there is no folder, or something else', async () => {
    const folder = await temporaryFolder();
    await expect(writeJsonFile(join(folder, 'a', 'b.json'), {})).rejects.toThrow('no such file or folder');
    await writeFile(join(folder, 'file'), 'text');
    await expect(writeJsonFile(join(folder, 'file', 'b.json'), {}, true)).rejects.toThrow('is there already');
    expect(await readFile(join(folder, 'file'), 'utf8')).toBe('text');
  });
});
