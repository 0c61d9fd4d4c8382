// What the parameters of autoencoders are called elsewhere, and what that is in diffusers' names, which are ours.
import { greatest } from '../../tensor/extremes.ts';
import { sameShape } from '../../tensor/shape.ts';
import type { LazyTensor, LazyTensors } from '../weights-file.ts';

/** What whole models put in front of the names of their autoencoder; nothing, last, for an autoencoder alone. */
const prefixes = ['first_stage_model.', 'vae.', ''];
/** What an autoencoder has at the least, in one of the namings. */
const always = ['decoder.conv_in.weight', 'decoder.layers.0.weight'];
export interface WithinWeights {
  /** Without prefix. */
  readonly tensors: LazyTensors;
  /** What was in front of their names; empty where nothing was. */
  readonly prefix: string;
  /** What stands beside the autoencoder under the same prefix, as trainings of LDM keep a discriminator and its like. */
  readonly others: LazyTensors;
}

/** The autoencoder within weights; undefined where there is none. */
export function autoencoderWithin(tensors: LazyTensors): WithinWeights | undefined {
  const prefix = prefixes.find((each) => always.some((name) => tensors.has(each + name)));
  if (prefix === undefined) return undefined;
  const short = [...tensors].flatMap(([name, tensor]) =>
    name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
  );
  const isPart = (name: string): boolean => /^(?:encoder|decoder|quant_conv|post_quant_conv)\./.test(name);
  return {
    tensors: new Map(short.filter(([name]) => isPart(name))),
    prefix,
    others: new Map(short.filter(([name]) => !isPart(name))),
  };
}

/** Whether names are those of LDM, whose files are kept together with whatever a training needs. */
export function isLDM(tensors: LazyTensors): boolean {
  return tensors.has('decoder.mid.block_1.conv1.weight');
}

/** Those of an attention, in LDM and in diffusers before version 0.17. */
const attention: Readonly<Record<string, string>> = {
  norm: 'group_norm',
  q: 'to_q',
  k: 'to_k',
  v: 'to_v',
  proj_out: 'to_out.0',
  query: 'to_q',
  key: 'to_k',
  value: 'to_v',
  proj_attn: 'to_out.0',
};

/**
 * Names of LDM, SD3 and Flux, and old ones of diffusers, in diffusers' present ones. A name that means nothing here stays as it is.
 * LDM counts the decoder's levels from the shallow end, and has kernels of 1x1 where diffusers has matrices.
 */
export function toDiffusersNames(tensors: LazyTensors): LazyTensors {
  const level = (name: string): number => Number(/^decoder\.up\.(\d+)\./.exec(name)?.[1] ?? -1);
  const levels = 1 + greatest([-1, ...[...tensors.keys()].map(level)]);
  return new Map([...tensors].map(([name, tensor]) => renamed(name, tensor, levels)));
}

function renamed(name: string, tensor: LazyTensor, levels: number): readonly [string, LazyTensor] {
  const changed = partNames
    .reduce((so, [pattern, replace]) => so.replace(pattern, replace), name)
    .replace(/^decoder\.up\.(\d+)\./, (_, level) => `decoder.up_blocks.${levels - 1 - Number(level)}.`)
    .replace(/(?<=\.attentions\.\d+\.)\w+(?=\.)/, (part) => attention[part] ?? part);
  return [changed, /\.to_(?:[qkv]|out\.0)\.weight$/.test(changed) ? asMatrix(tensor) : tensor];
}

const partNames: readonly (readonly [RegExp, string])[] = [
  [/^(encoder|decoder)\.mid\.block_1\./, '$1.mid_block.resnets.0.'],
  [/^(encoder|decoder)\.mid\.block_2\./, '$1.mid_block.resnets.1.'],
  [/^(encoder|decoder)\.mid\.attn_1\./, '$1.mid_block.attentions.0.'],
  [/^(encoder|decoder)\.norm_out\./, '$1.conv_norm_out.'],
  [/^encoder\.down\.(\d+)\.block\./, 'encoder.down_blocks.$1.resnets.'],
  [/^encoder\.down\.(\d+)\.attn\./, 'encoder.down_blocks.$1.attentions.'],
  [/^encoder\.down\.(\d+)\.downsample\./, 'encoder.down_blocks.$1.downsamplers.0.'],
  [/^(decoder\.up\.\d+)\.block\./, '$1.resnets.'],
  [/^(decoder\.up\.\d+)\.attn\./, '$1.attentions.'],
  [/^(decoder\.up\.\d+)\.upsample\./, '$1.upsamplers.0.'],
  [/\.nin_shortcut\./, '.conv_shortcut.'],
];

/** [O, I, 1, 1] -> [O, I] */
function asMatrix(tensor: LazyTensor): LazyTensor {
  const [outputs = 0, inputs = 0, ...rest] = tensor.shape;
  if (!sameShape(rest, [1, 1])) return tensor;
  const shape = [outputs, inputs];
  return { ...tensor, shape, read: async () => ({ ...(await tensor.read()), shape }) };
}

/**
 * A TAESD file's layers, named by their numbers alone, in diffusers' names. Its decoder begins with a clamp that has no parameters but
 * counts, in diffusers it does not.
 */
export function fromNumbers(encoder: LazyTensors, decoder: LazyTensors): LazyTensors {
  const shifted = (part: string, by: number, tensors: LazyTensors): [string, LazyTensor][] =>
    [...tensors].map(([name, tensor]) => {
      const [, number, rest] = /^(\d+)(\..*)$/.exec(name) ?? [];
      return [number === undefined ? name : `${part}.layers.${Number(number) - by}${rest}`, tensor];
    });
  return new Map([...shifted('encoder', 0, encoder), ...shifted('decoder', 1, decoder)]);
}
