// What the weights of a DiT say of its sizes, and what makes them weights of a velocity. Names are those of the public release.
import { fileError } from '../tensor/errors.ts';
import type { StoredTensor, StoredTensors } from '../tensor/stored-tensor.ts';
import { toFloat32 } from '../tensor/to-float32.ts';
import type { BlockParts } from '../models/dit-parts.ts';
import { partsOf } from './lightning-dit.ts';
import type { LazyTensor, LazyTensors } from './weights-file.ts';

export interface DiTSizes {
  readonly width: number;
  readonly depth: number;
  readonly patchSize: number;
  readonly channels: number;
  /** 0 where there is no label table. */
  readonly classes: number;
  /** The variance is predicted beside the rest: there are twice as many output channels. */
  readonly learnsSigma: boolean;
  /** Tokens of the positional table; undefined where there is none. */
  readonly tokens: number | undefined;
  /** What blocks have in place of the public release's parts. */
  readonly parts: BlockParts;
}

const kernel = 'x_embedder.proj.weight';
const labels = 'y_embedder.embedding_table.weight';
const positions = 'pos_embed';
const output = 'final_layer.linear';

/** @throws RectiflowError where the weights are none of a DiT, or of one whose output is no image */
export function sizesOf(tensors: LazyTensors, path: string): DiTSizes {
  const [width, channels, patchSize, side] = tensors.get(kernel)?.shape ?? [];
  if (width === undefined || channels === undefined || patchSize === undefined || side !== patchSize) {
    const found = [...tensors.keys()].slice(0, 5).join(', ');
    const problem = `is no DiT: it has no ${kernel} [D, C, p, p]. It has ${found} and ${Math.max(0, tensors.size - 5)} more`;
    throw fileError(
      path,
      problem,
      'Give the weights of a DiT, SiT or LightningDiT, under their public names or those of diffusers',
    );
  }
  const blocks = new Set([...tensors.keys()].flatMap((name) => /^blocks\.(\d+)\./.exec(name)?.[1] ?? []));
  const rows = tensors.get(labels)?.shape[0];
  const values = tensors.get(`${output}.weight`)?.shape[0];
  return {
    width,
    depth: blocks.size,
    patchSize,
    channels,
    classes: rows === undefined ? 0 : rows - 1,
    learnsSigma: values === 2 * channels * patchSize ** 2,
    tokens: tensors.get(positions)?.shape[1],
    parts: partsOf(tensors),
  };
}

/** A token's values are (p, p, channel): without the second half of the channels, which says how sure the model was. */
export function withoutSigma(tensors: LazyTensors, channels: number): LazyTensors {
  return mapOutput(tensors, (tensor) => {
    const [rows = 0, ...rest] = tensor.shape;
    const shape = [rows / 2, ...rest];
    return {
      dtype: 'F32',
      shape,
      async read() {
        const values = toFloat32(await tensor.read());
        const length = (values.length / rows) * channels;
        const data = new Float32Array(values.length / 2);
        for (let at = 0; at < data.length; at += length)
          data.set(values.subarray(2 * at, 2 * at + length), at);
        return { dtype: 'F32', shape, data };
      },
    };
  });
}

/** Of a model whose target points the other way, from the noise to the data. */
export function negatedOutput(weights: StoredTensors): StoredTensors {
  return new Map(
    [...weights].map(([name, tensor]) => [name, name.startsWith(`${output}.`) ? negate(tensor) : tensor]),
  );
}

function negate(tensor: StoredTensor): StoredTensor {
  return { dtype: 'F32', shape: tensor.shape, data: toFloat32(tensor).map((value) => -value) };
}

/** As `negatedOutput`, of weights that are not read yet. */
export function negated(tensors: LazyTensors): LazyTensors {
  return mapOutput(tensors, ({ shape, read }) => ({
    dtype: 'F32',
    shape,
    read: async () => negate(await read()),
  }));
}

function mapOutput(tensors: LazyTensors, change: (tensor: LazyTensor) => LazyTensor): LazyTensors {
  return new Map(
    [...tensors].map(([name, tensor]) => [name, name.startsWith(`${output}.`) ? change(tensor) : tensor]),
  );
}
