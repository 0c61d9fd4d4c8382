// fixtures/*.pt were written by PyTorch 2.13: the same tensors by protocol 2 and 5, and one in the format before 1.6.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PickleObject, TorchTensor } from '../../../src/formats/pytorch/pickle-values.ts';
import { TorchFile } from '../../../src/formats/pytorch/torch-file.ts';
import { readSafetensors } from '../../../src/formats/safetensors-file.ts';
import { toFloat32 } from '../../../src/tensor/to-float32.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { dict, pickle, tensor, torchArchive } from '../../support/torch-archive.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
const shared = fileURLToPath(new URL('../../../../shared/', import.meta.url));

function member(value: unknown, ...keys: string[]): unknown {
  return keys.reduce((at, key) => (at as ReadonlyMap<string, unknown>).get(key), value);
}

async function values(file: TorchFile, ...keys: string[]): Promise<unknown[]> {
  const { data } = await file.read(member(file.value, ...keys) as TorchTensor);
  return [...data] as unknown[];
}

describe.each(['protocol-2.pt', 'protocol-5.pt'])('%s', (name) => {
  it('holds the values that torch was given, of every dtype', async () => {
    const file = await TorchFile.open(fixture(name));
    const numbers = [0, 1, 2, 3, -5.5, 100];
    for (const dtype of ['F64', 'F32', 'F16', 'BF16']) {
      const stored = await file.read(member(file.value, 'model', dtype) as TorchTensor);
      expect(stored).toMatchObject({ dtype, shape: [6] });
      expect([...(dtype === 'F64' ? stored.data : toFloat32(stored))]).toEqual(numbers);
    }
    const integers = {
      I64: [-(2n ** 60n), 0n, 7n],
      I32: [-(2 ** 31), 5],
      I16: [-300, 5],
      I8: [-128, 5],
      U8: [255, 5],
      BOOL: [1, 0],
    };
    for (const [dtype, wanted] of Object.entries(integers)) {
      const stored = await file.read(member(file.value, 'model', dtype) as TorchTensor);
      expect([stored.dtype, ...stored.data]).toEqual([dtype, ...wanted]);
    }
  });

  it('makes views row-major', async () => {
    const file = await TorchFile.open(fixture(name));
    const whole = Array.from({ length: 12 }, (_, i) => i);
    expect(await values(file, 'model', 'whole')).toEqual(whole);
    expect(await values(file, 'model', 'transposed')).toEqual([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
    expect(await values(file, 'model', 'column')).toEqual([1, 5, 9]);
    expect(await values(file, 'model', 'row')).toEqual([4, 5, 6, 7]);
    expect(await values(file, 'model', 'scalar')).toEqual([2.5]);
    expect(await values(file, 'model', 'empty')).toEqual([]);
    expect(await values(file, 'model', 'parameter')).toEqual([1.5, -2.5]);
  });

  it('has the arguments of the training as a plain object', async () => {
    const { value } = await TorchFile.open(fixture(name));
    const args = member(value, 'args') as PickleObject;
    expect(args).toBeInstanceOf(PickleObject);
    expect(Object.fromEntries(args.attributes)).toMatchObject({
      model: 'DiT-XL/2',
      lr: 1e-4,
      seed: 2n ** 70n,
      big: -3,
      image_size: 256,
      note: null,
      flags: [true, { items: [1, 2, 3, 4] }],
      names: new Set(['a']),
      size: { items: [2, 3] },
      dtype: { name: 'torch.bfloat16' },
    });
  });
});

it('refuses the format before version 1.6 and says what to do', async () => {
  await expect(TorchFile.open(fixture('legacy.pt'))).rejects.toThrow(
    /legacy\.pt: is a pickle, or a checkpoint in the format that PyTorch had before version 1\.6.*torch\.save/,
  );
});

it.each([{ zip64: true }, { zip64: false }, { deflate: true }])('reads archives with %j', async (options) => {
  const path = join(await temporaryFolder(), 'x.pt');
  const data = Float32Array.from({ length: 1000 }, (_, i) => i % 7);
  const described = pickle(dict({ a: tensor({ elements: 1000, shape: [10, 100], strides: [100, 1] }) }));
  await writeFile(path, torchArchive(described, { 0: new Uint8Array(data.buffer) }, options));
  const file = await TorchFile.open(path);
  expect(await values(file, 'a')).toEqual([...data]);
});

const golden = `${shared}golden/dit-tiny/`;
it.skipIf(!existsSync(golden))(
  "reads PyTorch's training checkpoint (skipped where there is no ../shared)",
  async () => {
    const file = await TorchFile.open(`${golden}public-layout.pt`);
    const { tensors } = await readSafetensors(`${golden}model.safetensors`);
    const weights = member(file.value, 'model') as ReadonlyMap<string, TorchTensor>;
    expect([...weights.keys()].toSorted()).toEqual([...tensors.keys()].toSorted());
    for (const [name, wanted] of tensors) expect(await file.read(weights.get(name)!)).toEqual(wanted);
  },
);
