import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { npy } from '../support/npy.ts';
import { type Finished, rectiflow, temporaryFolder } from '../support/cli.ts';
import { randomValues } from '../support/random.ts';

let folder: string;
const run = (...args: string[]): Promise<Finished> => rectiflow(folder, args);

beforeAll(async () => {
  folder = await temporaryFolder();
  const path = join(folder, 'images.npy');
  await writeFile(path, npy('<f4', [17, 8, 8], Float32Array.from(randomValues(17 * 64, 1))));
  const config = {
    data: { source: 'array', path },
    model: { width: 16, depth: 1, heads: 2, patchSize: 4 },
    train: { steps: 6, batchSize: 5, logEvery: 2, sampleEvery: 0, checkpointEvery: 3 },
    sample: { steps: 1, perClass: 1 },
    backend: { threads: 1 },
  };
  await writeFile(join(folder, 'tiny.json'), JSON.stringify(config));
  await run('train', 'tiny.json');
});

describe('replay', () => {
  it('prints each step, and that all are equal', async () => {
    const { code, stdout, stderr } = await run('replay', 'tiny', '--steps', '4..6');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^step 4 {2}loss \S+\nstep 6 {2}loss \S+\n2 of 2 logged losses are equal to the bit\n$/,
    );
  });

  it('ends with 1 and names the first that differs, with both values', async () => {
    const file = join(folder, 'runs', 'tiny', 'metrics.jsonl');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/("step":4,.*?"loss":)[^,]+/, '$10.25'));
    const { code, stdout } = await run('replay', 'tiny', '--steps', '1..6');
    await writeFile(file, text);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^step 4 {2}loss 0\.25, and now \S+$/m);
    expect(stdout).toMatch(
      /\n4 of 5 logged losses are equal to the bit\nThe first that differs: step 4, logged 0\.25, now \S+\n$/,
    );
  });

  it.each([
    ['6..4', /It must be two steps from 1, the lower one first/],
    ['0..4', /It must be two steps from 1/],
    ['7..9', /^error: runs\/tiny: no loss of steps 7 to 9 was logged/],
  ])('refuses %s', async (steps, message) => {
    const { code, stderr } = await run('replay', 'tiny', '--steps', steps);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });
});

describe('repro', () => {
  it('writes a file that can be trained, and says which paths it gives away', async () => {
    const { code, stdout, stderr } = await run('repro', 'tiny');
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: 'Written: tiny.repro.json\nTrain it anew:  npx rectiflow train tiny.repro.json\n',
      stderr: 'note: the config has absolute paths, which the file has too: data.path\n',
    });
    expect(await run('train', 'tiny.repro.json')).toMatchObject({ code: 0, stderr: '' });
    const log = async (name: string): Promise<unknown> =>
      (await readFile(join(folder, 'runs', name, 'metrics.jsonl'), 'utf8')).match(/"loss":[^,]+/g);
    expect(await log('tiny-2')).toEqual(await log('tiny'));
  });

  it('replaces no file', async () => {
    const { code, stderr } = await run('repro', 'tiny', '-o', 'tiny.json');
    expect(code).toBe(1);
    expect(stderr).toContain('error: tiny.json: is there already. Choose another file, with --out.');
    expect((await run('repro', 'tiny', '-o', 'tiny.txt')).stderr).toContain('It must end with .json.');
  });
});
