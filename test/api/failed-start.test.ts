import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { train } from '../../src/api/train.ts';
import { dataError } from '../../src/tensor/errors.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

/** Read until sample `most` of the order is due. */
function brokenAfter(most: number): ReturnType<typeof stripes> {
  const source = stripes();
  let reads = 0;
  return {
    ...source,
    read(...args) {
      if (reads++ >= most) throw dataError('stripes', 'the disk is gone', 'Bring it back');
      return source.read(...args);
    },
  };
}

const config = { ...tinyStripes, train: { ...tinyStripes.train, logEvery: 1 }, backend: { threads: 1 } };

describe('a training that fails', () => {
  let runs: string;
  beforeAll(async () => {
    runs = await temporaryFolder();
  });

  it('at its first step leaves no folder, and the name is free again', async () => {
    const start = train(config, { runs, source: brokenAfter(0) });
    await expect(start).rejects.toThrow('stripes: the disk is gone');
    expect(await readdir(runs)).toEqual([]);
  });

  it('later leaves what was logged', async () => {
    await expect(train(config, { runs, source: brokenAfter(30) })).rejects.toThrow('the disk is gone');
    const lines = (await readFile(join(runs, 'stripes', 'metrics.jsonl'), 'utf8')).trim().split('\n');
    expect(lines.length).toBeGreaterThan(0);
  });

  it('leaves the report of steps that were not finite', async () => {
    const source = stripes();
    const nan: typeof source = {
      ...source,
      async read(...args) {
        const annotation = await source.read(...args);
        args[1].fill(NaN, args[2], args[2] + 96);
        return annotation;
      },
    };
    await expect(train({ ...config, name: 'nan' }, { runs, source: nan })).rejects.toThrow(/not finite/);
    expect(await readdir(join(runs, 'nan'))).toContain('bad-steps.jsonl');
  });

  it('for want of a place for its folder says so and leaves what is there', async () => {
    const file = join(runs, 'file');
    await writeFile(file, 'mine');
    await expect(train(config, { runs: file, source: stripes() })).rejects.toThrow(/file.*is a file/);
    expect(await readFile(file, 'utf8')).toBe('mine');
  });
});
