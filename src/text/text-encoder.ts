// Captions to embeddings, by a text encoder that was exported to ONNX: CLIP's, T5's. It is run by the package
// onnxruntime-node, which only those who do this have to install.
import { createRequire } from 'node:module';
import { toFloat32 } from '../tensor/to-float32.ts';
import { dataError, fileError, formatShape } from '../tensor/errors.ts';
import { findInstalled, installCommand } from '../host/optional-package.ts';
import type { Tokenizer, Tokens } from '../tokenizers/tokenizer.ts';

/** What is used of onnxruntime-node. */
export interface OnnxRuntime {
  readonly InferenceSession: { create(path: string): Promise<OnnxSession> };
  readonly Tensor: new (
    type: 'int64' | 'int32',
    data: BigInt64Array | Int32Array,
    dims: readonly number[],
  ) => OnnxTensor;
}

export interface OnnxSession {
  readonly inputNames: readonly string[];
  readonly inputMetadata?: readonly { readonly name: string; readonly type?: unknown }[];
  run(feeds: Readonly<Record<string, OnnxTensor>>): Promise<Readonly<Record<string, OnnxTensor>>>;
}

export interface OnnxTensor {
  readonly type: string;
  readonly data: unknown;
  readonly dims: readonly number[];
}

export interface EncodedCaption {
  /** [tokens, width], of the tokens that exist. */
  readonly embeddings: Float32Array;
  /** Of the caption as a whole, [width]. */
  readonly pooled: Float32Array;
}

export interface CaptionEncoder {
  /** How errors call it. */
  readonly name: string;
  readonly tokenizer: Tokenizer;
  encode(captions: readonly string[]): Promise<EncodedCaption[]>;
}

/** @throws RectiflowError that says what to install */
export function loadOnnxRuntime(name = 'onnxruntime-node'): OnnxRuntime {
  const path = findInstalled(name);
  if (path === undefined) {
    const advice = `Install it: ${installCommand(name)}`;
    throw dataError('text encoder', `the package ${name} is not installed`, advice);
  }
  try {
    return createRequire(path)(path) as OnnxRuntime;
  } catch (error) {
    const problem = `the package ${name} cannot be loaded: ${(error as Error).message}`;
    throw dataError('text encoder', problem, `Install it again: ${installCommand(name)}`, error);
  }
}

/**
 * @param path of a model.onnx whose input is input_ids and whose output last_hidden_state; attention_mask and pooler_output are
 * used where it has them
 * @param tokenizer the one that the encoder was trained with
 * @throws RectiflowError where the file cannot be loaded, or has inputs that nothing is known of
 */
export async function openCaptionEncoder(
  path: string,
  tokenizer: Tokenizer,
  runtime: OnnxRuntime = loadOnnxRuntime(),
): Promise<CaptionEncoder> {
  const session = await runtime.InferenceSession.create(path).catch((error: unknown) => {
    throw fileError(path, `cannot be loaded: ${(error as Error).message}`, 'Give an ONNX model', error);
  });
  const unknown = session.inputNames.find((name) => !Object.hasOwn(inputs, name));
  if (unknown !== undefined || !session.inputNames.includes('input_ids')) {
    const known = Object.keys(inputs).join(', ');
    const problem = `has the inputs ${session.inputNames.join(', ')}; wanted input_ids and others of ${known}`;
    throw fileError(path, problem, 'Export the text encoder alone');
  }
  return {
    name: path,
    tokenizer,
    async encode(captions) {
      const tokens = captions.map((caption) => tokenizer.encode(caption));
      const dims = [tokens.length, tokenizer.length];
      const feeds = session.inputNames.map((name) => {
        const values = tokens.flatMap((caption) => inputs[name as keyof typeof inputs](caption));
        return [name, integerTensor(runtime, session, name, values, dims)] as const;
      });
      const outputs = await session.run(Object.fromEntries(feeds)).catch((error: unknown) => {
        throw fileError(
          path,
          `cannot be run: ${(error as Error).message}`,
          'Is the tokenizer its own?',
          error,
        );
      });
      return readOutputs(outputs, tokens, tokenizer.length, path);
    },
  };
}

/** What encoders ask for, of one caption. */
const inputs = {
  input_ids: ({ tokens }: Tokens): number[] => [...tokens],
  attention_mask: ({ tokens, count }: Tokens): number[] => Array.from(tokens, (_, i) => (i < count ? 1 : 0)),
  token_type_ids: ({ tokens }: Tokens): number[] => Array.from(tokens, () => 0),
  position_ids: ({ tokens }: Tokens): number[] => Array.from(tokens, (_, i) => i),
};

/** Exports take int64, but for some that take int32. */
function integerTensor(
  { Tensor }: OnnxRuntime,
  { inputMetadata }: OnnxSession,
  name: string,
  values: readonly number[],
  dims: readonly number[],
): OnnxTensor {
  const type = inputMetadata?.find((input) => input.name === name)?.type;
  if (type === 'int32') return new Tensor('int32', Int32Array.from(values), dims);
  return new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
}

function readOutputs(
  outputs: Readonly<Record<string, OnnxTensor>>,
  tokens: readonly Tokens[],
  length: number,
  path: string,
): EncodedCaption[] {
  const states = outputs['last_hidden_state'];
  const [B, L, W] = states?.dims ?? [];
  if (states === undefined || B !== tokens.length || L !== length || W === undefined) {
    const wanted = `wanted last_hidden_state [${tokens.length}, ${length}, width]`;
    const found = Object.entries(outputs).map(([name, { dims }]) => `${name} ${formatShape(dims)}`);
    throw fileError(path, `${wanted}, found ${found.join(', ')}`, 'Export the text encoder for features');
  }
  const values = floatsOf(states, path);
  const pooler = outputs['pooler_output'];
  const pooled = pooler?.dims[1] === W ? floatsOf(pooler, path) : undefined;
  return tokens.map(({ count }, i) => {
    const embeddings = values.slice(i * L * W, (i * L + count) * W);
    return { embeddings, pooled: pooled?.slice(i * W, (i + 1) * W) ?? meanRow(embeddings, W) };
  });
}

function floatsOf({ type, data }: OnnxTensor, path: string): Float32Array {
  if (data instanceof Float32Array) return data;
  if (type === 'float16' && ArrayBuffer.isView(data)) {
    const bits = new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
    return toFloat32({ dtype: 'F16', shape: [bits.length], data: bits });
  }
  throw fileError(path, `gives numbers of type ${type}, wanted float32 or float16`, 'Export it in float32');
}

function meanRow(rows: Float32Array, width: number): Float32Array {
  const count = rows.length / width;
  const mean = new Float32Array(width);
  rows.forEach((value, i) => (mean[i % width]! += value / count));
  return mean;
}
