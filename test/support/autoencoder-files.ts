// Autoencoders in the layouts of others, made of tiny ones.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesOf } from '../../src/formats/safetensors.ts';
import { writeSafetensors } from '../../src/formats/safetensors-file.ts';
import { toHalfBits } from '../../src/tensor/half.ts';
import { stridesOf } from '../../src/tensor/shape.ts';
import type { StoredTensor, StoredTensors } from '../../src/tensor/stored-tensor.ts';
import { toFloat32 } from '../../src/tensor/to-float32.ts';
import { dict, pickle, tensor, torchArchive } from './torch-archive.ts';

/** Written by hand from the description of LDM's names, the other way round than the reader goes. */
export function toLDM(tensors: StoredTensors, levels: number): Map<string, StoredTensor> {
  const attention = { group_norm: 'norm', to_q: 'q', to_k: 'k', to_v: 'v', 'to_out.0': 'proj_out' };
  return new Map(
    [...tensors].map(([name, stored]) => {
      const mid = /^(encoder|decoder)\.mid_block\.(resnets|attentions)\.(\d)\.(.*)\.(weight|bias)$/.exec(
        name,
      );
      if (mid?.[2] === 'resnets') {
        return [`${mid[1]}.mid.block_${Number(mid[3]) + 1}.${mid[4]}.${mid[5]}`, stored];
      }
      if (mid !== null) {
        const part = attention[mid[4] as keyof typeof attention];
        const isMatrix = stored.shape.length === 2;
        const shape = isMatrix ? [...stored.shape, 1, 1] : stored.shape;
        return [`${mid[1]}.mid.attn_1.${part}.${mid[5]}`, { ...stored, shape }];
      }
      const level =
        /^(encoder\.down|decoder\.up)_blocks\.(\d)\.(resnets|downsamplers|upsamplers)\.(.*)$/.exec(name);
      if (level !== null) {
        const number = level[1] === 'encoder.down' ? Number(level[2]) : levels - 1 - Number(level[2]);
        const rest = level[4]!.replace('conv_shortcut', 'nin_shortcut');
        const within =
          level[3] === 'resnets'
            ? `block.${rest}`
            : `${level[3]!.replace('rs', '').replace('ler', 'le')}.${rest.slice(2)}`;
        return [`${level[1]}.${number}.${within}`, stored];
      }
      return [name.replace('conv_norm_out', 'norm_out'), stored];
    }),
  );
}

export function prefixed(tensors: StoredTensors, prefix: string): Map<string, StoredTensor> {
  return new Map([...tensors].map(([name, stored]) => [prefix + name, stored]));
}

export function inFloat16(tensors: StoredTensors): Map<string, StoredTensor> {
  return new Map(
    [...tensors].map(([name, stored]) => [
      name,
      { dtype: 'F16', shape: stored.shape, data: toHalfBits('float16', toFloat32(stored)) },
    ]),
  );
}

/** A state dict as torch.save writes it. */
export async function writeTorch(path: string, tensors: StoredTensors): Promise<void> {
  const types: Record<string, string> = { F32: 'FloatStorage', F16: 'HalfStorage' };
  const entries = [...tensors].map(([name, { dtype, shape, data }], i) => {
    const parts = { key: String(i), type: types[dtype]!, elements: data.length, shape };
    return [name, tensor({ ...parts, strides: stridesOf(shape) })] as const;
  });
  const storages = Object.fromEntries([...tensors.values()].map(({ data }, i) => [String(i), bytesOf(data)]));
  await writeFile(path, torchArchive(pickle(dict(Object.fromEntries(entries))), storages));
}

/** A folder of diffusers. */
export async function writeFolder(
  folder: string,
  config: Readonly<Record<string, unknown>>,
  tensors: StoredTensors,
  name = 'diffusion_pytorch_model.safetensors',
): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  await writeSafetensors(join(folder, name), tensors);
  return folder;
}
