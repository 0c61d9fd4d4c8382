import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../src/formats/safetensors-file.ts';
import { type Finished, rectiflow, temporaryFolder } from '../support/cli.ts';
import { tinyDiT } from '../support/models.ts';
import { storedWeights } from '../support/stored-weights.ts';
import { call, global, pickle, text, torchArchive } from '../support/torch-archive.ts';

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  await writeSafetensors(join(folder, 'weights.safetensors'), storedWeights(tinyDiT({ channels: 3 })));
});

const run = (...args: string[]): Promise<Finished> => rectiflow(folder, args);

describe('import and export', () => {
  it('take weights through a run, which can be sampled from', async () => {
    const told = ['--heads', '2', '--image-size', '8x12', '--convention', 'sit', '--name', 'theirs'];
    const imported = await run('import', 'weights.safetensors', ...told);
    expect(imported).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^The weights are in runs\/theirs$/m) as string,
    });
    expect(imported.stderr).toMatch(/^note: the last layer is negated/m);
    const sampled = await run('sample', 'runs/theirs', '--labels', '1', '--count', '2', '--steps', '2');
    expect(sampled).toMatchObject({ code: 0 });
    expect(sampled.stderr).toMatch(
      /^note: guidance 2 takes it that these weights were trained without labels, too, .*\n$/,
    );
    const exported = await run('export', 'theirs', '--to', 'theirs.onnx', '--layout', 'onnx');
    expect(exported).toEqual({ code: 0, stdout: 'Written: theirs.onnx\n', stderr: '' });
    expect(existsSync(join(folder, 'theirs.onnx'))).toBe(true);
    expect(await run('export', 'theirs', '--to', 'theirs.onnx')).toMatchObject({
      code: 1,
      stderr: 'error: theirs.onnx: is there already. Give another name, or remove it.\n',
    });
  });

  it('ask for what the weights do not tell', async () => {
    const { code, stderr } = await run('import', 'weights.safetensors');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: weights\.safetensors: does not tell .*--convention/);
  });

  it('refuse a pickle that asks for more than weights', async () => {
    await writeFile(
      join(folder, 'harm.pt'),
      torchArchive(pickle(call(global('os', 'system'), text('touch harm')))),
    );
    const { code, stderr } = await run('import', 'harm.pt', '--heads', '2', '--convention', 'sit');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: harm\.pt: asks for the Python name "os\.system"/);
    expect(existsSync(join(folder, 'harm'))).toBe(false);
  });
});
