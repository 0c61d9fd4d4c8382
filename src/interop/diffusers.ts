// Between the names of the public DiT release and those of diffusers' DiTTransformer2DModel, which holds the same weights: query,
// key and value apart, and a copy of the embedders of time and class in every block.
import { fileError } from '../tensor/errors.ts';
import { sameShape, sizeOf } from '../tensor/shape.ts';
import type { StoredTensor, StoredTensors } from '../tensor/stored-tensor.ts';
import { allocate, bytesOf } from '../formats/safetensors.ts';
import type { LazyTensor, LazyTensors } from './weights-file.ts';

/** Public name to diffusers' name, without the block and without weight or bias. */
const outside: Readonly<Record<string, string>> = {
  'x_embedder.proj': 'pos_embed.proj',
  'final_layer.adaLN_modulation.1': 'proj_out_1',
  'final_layer.linear': 'proj_out_2',
};
const inBlock: Readonly<Record<string, string>> = {
  'adaLN_modulation.1': 'norm1.linear',
  'attn.proj': 'attn1.to_out.0',
  'mlp.fc1': 'ff.net.0.proj',
  'mlp.fc2': 'ff.net.2',
};
const copied: Readonly<Record<string, string>> = {
  't_embedder.mlp.0': 'norm1.emb.timestep_embedder.linear_1',
  't_embedder.mlp.2': 'norm1.emb.timestep_embedder.linear_2',
  'y_embedder.embedding_table': 'norm1.emb.class_embedder.embedding_table',
};
const joined = ['attn1.to_q', 'attn1.to_k', 'attn1.to_v'];
const table = 'pos_embed.pos_embed';

const inverted = (names: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(names).map(([ours, theirs]) => [theirs, ours]));
const outsideBack = inverted(outside);
const inBlockBack = inverted(inBlock);
const copiedBack = inverted(copied);

export function isDiffusers(tensors: LazyTensors): boolean {
  return [...tensors.keys()].some((name) => name.startsWith('transformer_blocks.'));
}

/**
 * The same weights under their public names. A name that means nothing here stays as it is.
 * @throws RectiflowError where the copies of an embedder differ: then there is no one embedder that they are copies of
 */
export async function fromDiffusers(tensors: LazyTensors, path: string): Promise<LazyTensors> {
  const renamed = new Map<string, LazyTensor>();
  const untied: string[] = [];
  for (const [name, tensor] of tensors) {
    const [, block, inner, kind] = /^(?:transformer_blocks\.(\d+)\.)?(.*)\.(weight|bias)$/.exec(name) ?? [];
    const embedder = block === undefined ? undefined : copiedBack.get(inner!);
    const plain = block === undefined ? outsideBack.get(inner ?? '') : inBlockBack.get(inner!);
    if (name === table) renamed.set('pos_embed', tensor);
    else if (embedder !== undefined) {
      const first = tensors.get(name.replace(/\d+/, '0'));
      if (first && !(await areEqual(first, tensor))) untied.push(name);
      renamed.set(`${embedder}.${kind}`, first ?? tensor);
    } else if (plain !== undefined) {
      renamed.set(block === undefined ? `${plain}.${kind}` : `blocks.${block}.${plain}.${kind}`, tensor);
    } else {
      const qkv =
        block !== undefined && joined.includes(inner!) ? joinRows(tensors, block, kind!) : undefined;
      if (qkv) renamed.set(`blocks.${block}.attn.qkv.${kind}`, qkv);
      else renamed.set(name, tensor);
    }
  }
  if (untied.length > 0) {
    const problem = `the embedders of time and class differ between the blocks, as if they had been trained apart: ${untied.join(', ')}`;
    throw fileError(
      path,
      problem,
      'Such a model has no form here: import one whose embedders are equal in all blocks',
    );
  }
  return renamed;
}

/** @param depth how many blocks get a copy of the embedders */
export function toDiffusers(tensors: StoredTensors, depth: number): StoredTensors {
  const renamed = new Map<string, StoredTensor>();
  for (const [name, tensor] of tensors) {
    const [, block, inner, kind] = /^(?:blocks\.(\d+)\.)?(.*)\.(weight|bias)$/.exec(name) ?? [];
    if (inner === undefined) continue;
    const to = (theirs: string): string => `transformer_blocks.${block}.${theirs}.${kind}`;
    if (block === undefined && copied[inner] !== undefined) {
      for (let i = 0; i < depth; i++) renamed.set(`transformer_blocks.${i}.${copied[inner]}.${kind}`, tensor);
    } else if (block === undefined) renamed.set(`${outside[inner]}.${kind}`, tensor);
    else if (inner === 'attn.qkv')
      splitRows(tensor, joined.length).forEach((part, i) => renamed.set(to(joined[i]!), part));
    else renamed.set(to(inBlock[inner]!), tensor);
  }
  return renamed;
}

async function areEqual(a: LazyTensor, b: LazyTensor): Promise<boolean> {
  if (a === b) return true;
  const [left, right] = [await a.read(), await b.read()];
  return left.dtype === right.dtype && Buffer.compare(bytesOf(left.data), bytesOf(right.data)) === 0;
}

/** Query, key and value of a block along the first axis; undefined where one is missing or unlike the others. */
function joinRows(tensors: LazyTensors, block: string, kind: string): LazyTensor | undefined {
  const parts = joined.flatMap((part) => tensors.get(`transformer_blocks.${block}.${part}.${kind}`) ?? []);
  const [first] = parts;
  if (first === undefined || parts.length < joined.length) return undefined;
  const { dtype, shape } = first;
  if (parts.some((part) => part.dtype !== dtype || !sameShape(part.shape, shape))) return undefined;
  const rows = joined.length * (shape[0] ?? 0);
  const whole = [rows, ...shape.slice(1)];
  return {
    dtype,
    shape: whole,
    async read() {
      const data = allocate(dtype, sizeOf(whole));
      let at = 0;
      for (const part of parts) {
        const bytes = bytesOf((await part.read()).data);
        bytesOf(data).set(bytes, at);
        at += bytes.length;
      }
      return { dtype, shape: whole, data };
    },
  };
}

function splitRows({ dtype, shape, data }: StoredTensor, parts: number): StoredTensor[] {
  const size = data.length / parts;
  return Array.from({ length: parts }, (_, i) => ({
    dtype,
    shape: [shape[0]! / parts, ...shape.slice(1)],
    data: data.subarray(i * size, (i + 1) * size),
  }));
}
