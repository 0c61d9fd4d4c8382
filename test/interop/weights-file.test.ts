import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openWeights } from '../../src/interop/weights-file.ts';
import { temporaryFolder } from '../support/cli.ts';

it('a file of another format is told as that, and one that should be safetensors as a damaged one', async () => {
  const folder = await temporaryFolder();
  for (const name of ['model.onnx', 'model.safetensors'])
    await writeFile(join(folder, name), '\b\u0008\u0012\u0007pytorch: a graph');
  await expect(openWeights(join(folder, 'model.onnx'))).rejects.toThrow(
    /\.onnx: is neither a checkpoint of PyTorch nor safetensors\. .*such as ONNX/,
  );
  await expect(openWeights(join(folder, 'model.safetensors'))).rejects.toThrow(/damaged or not safetensors/);
});
