import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StoredTensor } from '../../src/tensor/stored-tensor.ts';
import { encodeSafetensors } from '../../src/formats/safetensors.ts';
import { CaptionCache, encodeCaptions } from '../../src/text/caption-cache.ts';
import { captionsOf } from '../../src/data/captions.ts';
import type { Source } from '../../src/data/source.ts';
import {
  type OnnxRuntime,
  type OnnxSession,
  type OnnxTensor,
  type CaptionEncoder,
  loadOnnxRuntime,
  openCaptionEncoder,
} from '../../src/text/text-encoder.ts';
import { byteTokenizer } from '../../src/tokenizers/bytes.ts';

const W = 3;
const L = 8;

class FakeTensor implements OnnxTensor {
  readonly type: string;
  readonly data: unknown;
  readonly dims: readonly number[];
  constructor(type: string, data: unknown, dims: readonly number[]) {
    this.type = type;
    this.data = data;
    this.dims = dims;
  }
}

interface Fake {
  readonly inputNames?: readonly string[];
  readonly inputMetadata?: OnnxSession['inputMetadata'];
  readonly outputs?: (ids: number[], dims: readonly number[]) => Record<string, OnnxTensor>;
}

/** The features of a token are its id, its place and 1; those of a caption its first id, 2 and 3. */
function features(ids: number[], dims: readonly number[]): Record<string, OnnxTensor> {
  const states = ids.flatMap((id, i) => [id, i % L, 1]);
  const first = ids.filter((_, i) => i % L === 0).flatMap((id) => [id, 2, 3]);
  return {
    last_hidden_state: new FakeTensor('float32', Float32Array.from(states), [...dims, W]),
    pooler_output: new FakeTensor('float32', Float32Array.from(first), [dims[0]!, W]),
  };
}

function fakeRuntime({ inputNames = ['input_ids'], inputMetadata, outputs = features }: Fake = {}) {
  const runs: Readonly<Record<string, OnnxTensor>>[] = [];
  const session: OnnxSession = {
    inputNames,
    ...(inputMetadata && { inputMetadata }),
    async run(feeds) {
      runs.push(feeds);
      const { data, dims } = feeds['input_ids']!;
      return outputs(Array.from(data as BigInt64Array | Int32Array, Number), dims);
    },
  };
  const runtime: OnnxRuntime = { InferenceSession: { create: async () => session }, Tensor: FakeTensor };
  return { runtime, runs };
}

async function open(
  fake: Fake = {},
): Promise<{ encoder: CaptionEncoder; runs: readonly Record<string, OnnxTensor>[] }> {
  const { runtime, runs } = fakeRuntime(fake);
  return { encoder: await openCaptionEncoder('model.onnx', byteTokenizer(L), runtime), runs };
}

const code = (letter: string): number => letter.charCodeAt(0);
const END = 256;

describe('a text encoder', () => {
  it('gives the features of the tokens that exist, and of the caption', async () => {
    const { encoder } = await open();
    const [cat, empty] = await encoder.encode(['cat', '']);
    expect([...cat!.embeddings]).toEqual([code('c'), 0, 1, code('a'), 1, 1, code('t'), 2, 1, END, 3, 1]);
    expect([...cat!.pooled]).toEqual([code('c'), 2, 3]);
    expect([...empty!.embeddings]).toEqual([END, 0, 1]);
  });

  it('is fed what it asks for, in the type that it asks for', async () => {
    const inputNames = ['input_ids', 'attention_mask', 'token_type_ids', 'position_ids'];
    const { encoder, runs } = await open({
      inputNames,
      inputMetadata: [{ name: 'attention_mask', type: 'int32' }],
    });
    await encoder.encode(['a']);
    expect(Object.keys(runs[0]!)).toEqual(inputNames);
    expect(runs[0]!['input_ids']!.data).toEqual(
      BigInt64Array.from([code('a'), ...Array(7).fill(END)], BigInt),
    );
    expect(runs[0]!['attention_mask']!.data).toEqual(Int32Array.of(1, 1, 0, 0, 0, 0, 0, 0));
    expect(runs[0]!['position_ids']!.data).toEqual(BigInt64Array.from([0, 1, 2, 3, 4, 5, 6, 7], BigInt));
    expect(runs[0]!['token_type_ids']!.dims).toEqual([1, L]);
  });

  it('without a feature of the whole caption, gives the mean of its tokens', async () => {
    const outputs = (ids: number[], dims: readonly number[]): Record<string, OnnxTensor> => {
      const { pooler_output: _, ...rest } = features(ids, dims);
      return rest;
    };
    const [ab] = await (await open({ outputs })).encoder.encode(['ab']);
    expect(ab!.pooled[0]).toBeCloseTo((code('a') + code('b') + END) / 3, 4);
    expect(Array.from(ab!.pooled.subarray(1))).toEqual([1, 1]);
  });

  it('may give float16', async () => {
    const half = Uint16Array.from({ length: L * W }, (_, i) => (i < W ? 0x3c00 : 0x4000));
    const outputs = (): Record<string, OnnxTensor> => ({
      last_hidden_state: new FakeTensor('float16', half, [1, L, W]),
    });
    const [a] = await (await open({ outputs })).encoder.encode(['a']);
    expect([...a!.embeddings]).toEqual([1, 1, 1, 2, 2, 2]);
  });

  it('names what is wrong with the model', async () => {
    const broken = fakeRuntime().runtime;
    const create = async (): Promise<OnnxSession> => Promise.reject(new Error('protobuf parsing failed'));
    const unreadable = openCaptionEncoder('x.onnx', byteTokenizer(L), {
      ...broken,
      InferenceSession: { create },
    });
    await expect(unreadable).rejects.toThrow(
      'x.onnx: cannot be loaded: protobuf parsing failed. Give an ONNX model.',
    );
    await expect(open({ inputNames: ['input_ids', 'pixel_values'] })).rejects.toThrow(
      'model.onnx: has the inputs input_ids, pixel_values; wanted input_ids and others of input_ids, attention_mask',
    );
    const outputs = (): Record<string, OnnxTensor> => ({
      logits: new FakeTensor('float32', new Float32Array(9), [1, 9]),
    });
    const { encoder } = await open({ outputs });
    await expect(encoder.encode(['a'])).rejects.toThrow(
      'model.onnx: wanted last_hidden_state [1, 8, width], found logits [1, 9]',
    );
  });

  it('needs a package, and says which', () => {
    expect(() => loadOnnxRuntime('onnxruntime-none')).toThrow(
      'text encoder: the package onnxruntime-none is not installed. Install it: npm install -D onnxruntime-none.',
    );
  });
});

describe('encoded captions', () => {
  let folder: string;
  let path: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rectiflow-'));
    path = join(folder, 'captions.safetensors');
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each(['float16', 'float32'] as const)(
    'are kept in %s, each once, with the empty one',
    async (precision) => {
      const { encoder, runs } = await open();
      const progress: number[] = [];
      const captions = ['cat', 'red heart', 'cat', 'dog'];
      const options = {
        captions,
        encoder,
        precision,
        batchSize: 3,
        onProgress: (done: number) => progress.push(done),
      };
      expect(await encodeCaptions(path, options)).toBe(4);
      expect(progress).toEqual([3, 4]);
      expect(runs.length).toBe(2);
      const cache = await CaptionCache.open(path);
      expect(cache).toMatchObject({ width: W, longest: L, tokenizer: 'bytes' });
      for (const caption of ['', ...captions]) {
        expect(cache.get(caption)).toEqual((await encoder.encode([caption]))[0]);
      }
    },
  );

  it('become conditions, padded with zeros and cut', async () => {
    const { encoder } = await open();
    await encodeCaptions(path, { captions: ['cat', 'a'], encoder });
    const cache = await CaptionCache.open(path);
    const { embeddings, pooled, length } = cache.conditions(['a', 'cat'], 3);
    expect([...length]).toEqual([2, 3]);
    expect(Array.from(embeddings.subarray(0, 9))).toEqual([code('a'), 0, 1, END, 1, 1, 0, 0, 0]);
    expect(Array.from(embeddings.subarray(9))).toEqual([code('c'), 0, 1, code('a'), 1, 1, code('t'), 2, 1]);
    expect([...pooled]).toEqual([code('a'), 2, 3, code('c'), 2, 3]);
  });

  it('do not hold others', async () => {
    const { encoder } = await open();
    await encodeCaptions(path, { captions: ['cat'], encoder });
    const cache = await CaptionCache.open(path);
    expect([cache.has('cat'), cache.has('Cat')]).toEqual([true, false]);
    const problem = `${path}: the caption "dog" is not among the encoded ones. Encode it too: rectiflow data encode-text.`;
    expect(() => cache.get('dog')).toThrow(problem);
  });

  const withFeature = (value: number) => (ids: number[], dims: readonly number[]) => ({
    last_hidden_state: new FakeTensor('float32', new Float32Array(ids.length * W).fill(value), [...dims, W]),
  });

  it('must be finite, and fit the precision', async () => {
    const nan = (await open({ outputs: withFeature(NaN) })).encoder;
    await expect(encodeCaptions(path, { captions: [], encoder: nan })).rejects.toThrow(
      'model.onnx: gives numbers that are not finite. Export it in float32.',
    );
    const large = (await open({ outputs: withFeature(1e5) })).encoder;
    await expect(encodeCaptions(path, { captions: [], encoder: large })).rejects.toThrow(
      'model.onnx: gives numbers too large for float16. Set the precision to float32.',
    );
    expect(await encodeCaptions(path, { captions: [], encoder: large, precision: 'float32' })).toBe(1);
  });

  it('leave the old file as it was where encoding stops', async () => {
    const { encoder } = await open();
    await encodeCaptions(path, { captions: ['cat'], encoder });
    const signal = AbortSignal.abort(new Error('stopped'));
    await expect(encodeCaptions(path, { captions: ['dog'], encoder, signal })).rejects.toThrow('stopped');
    expect((await CaptionCache.open(path)).has('cat')).toBe(true);
  });

  it('are said to be cut where the encoder is not given all of them', async () => {
    const { encoder } = await open();
    const notices: string[] = [];
    const long = 'a caption that is longer than eight bytes';
    const onNotice = (text: string): number => notices.push(text);
    await encodeCaptions(path, { captions: ['cat', long], encoder, onNotice });
    expect(notices).toEqual([
      `1 of 3 captions is longer than ${L} tokens (longest ${long.length + 1}): the encoder is not given the rest. Raise --length (length), where it takes more, or shorten them.`,
    ]);
    await encodeCaptions(path, { captions: ['cat'], encoder, onNotice });
    expect(notices).toHaveLength(1);
  });

  it('come from a set that has them', async () => {
    const source: Source = {
      name: 'set',
      count: 40,
      shape: [2],
      captions: true,
      read: async (index) => ({ caption: `caption ${index}` }),
    };
    const captions: string[] = [];
    for await (const caption of captionsOf(source)) captions.push(caption);
    expect(captions).toEqual(Array.from({ length: 40 }, (_, i) => `caption ${i}`));
    const { captions: _, ...silent } = source;
    await expect(captionsOf(silent).next()).rejects.toThrow('set: its samples have no captions');
  });

  it('are refused from a file of something else', async () => {
    await expect(CaptionCache.open(join(folder, 'none'))).rejects.toThrow('no such file or folder');
    const keys = { dtype: 'U8', shape: [1, 32], data: new Uint8Array(32) } as const;
    const lengths = { dtype: 'I32', shape: [1], data: Int32Array.of(1) } as const;
    const embeddings = { dtype: 'F32', shape: [1, 2], data: new Float32Array(2) } as const;
    const write = (tensors: Record<string, StoredTensor>): Promise<void> =>
      writeFile(path, encodeSafetensors(new Map(Object.entries(tensors))));
    await write({ weights: embeddings });
    await expect(CaptionCache.open(path)).rejects.toThrow('holds no captions: it has no keys');
    await write({ keys, lengths: { ...lengths, data: Int32Array.of(2) }, embeddings, pooled: embeddings });
    await expect(CaptionCache.open(path)).rejects.toThrow('its tensors do not fit together');
    await write({ keys, lengths, embeddings, pooled: embeddings });
    await expect(CaptionCache.open(path)).rejects.toThrow('lacks the empty caption');
  });
});
