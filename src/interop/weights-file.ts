// Weights of other systems, in whatever file they come: PyTorch's checkpoints, safetensors, folders of diffusers.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readRegular } from '../host/regular-file.ts';
import { fileError, systemProblem } from '../tensor/errors.ts';
import { parseJsonObject } from '../formats/json.ts';
import { PickleObject, type PickleValue, TorchTensor } from '../formats/pytorch/pickle-values.ts';
import { TorchFile } from '../formats/pytorch/torch-file.ts';
import { readFully, withFile } from '../host/read-file.ts';
import { readSafetensorsHeader, readSafetensorsTensor } from '../formats/safetensors-file.ts';
import type { SafetensorsDtype, StoredTensor, StoredTensors } from '../tensor/stored-tensor.ts';
import { toFloat32 } from '../tensor/to-float32.ts';
import { bytesIn } from '../formats/safetensors.ts';

/** A tensor whose values are read when they are asked for. */
export interface LazyTensor {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  read(): Promise<StoredTensor>;
}

export type LazyTensors = ReadonlyMap<string, LazyTensor>;

export interface WeightsFile {
  readonly path: string;
  /** `model`: as they are after the last step, or the only ones there are; `ema`: averaged. */
  readonly sets: { readonly model?: LazyTensors; readonly ema?: LazyTensors };
  /** What stands beside the weights: metadata, the arguments of the training, a config.json. */
  readonly facts: Readonly<Record<string, unknown>>;
}

const folderFiles = ['diffusion_pytorch_model.safetensors', 'diffusion_pytorch_model.bin'];

/**
 * Finds out what a file or folder is by its content, and what weights are in it.
 * @throws RectiflowError when it is none of the formats, is damaged, or would have to be executed to be read
 */
export async function openWeights(path: string): Promise<WeightsFile> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return openFolder(path);
  const start = await withFile(path, async (file) => {
    const bytes = new Uint8Array(Math.min(9, (await file.stat()).size));
    await readFully(file, bytes, 0, path);
    return bytes;
  });
  const isTorch = (start[0] === 0x50 && start[1] === 0x4b) || start[0] === 0x80;
  // A safetensors file begins with the length of its header, 8 bytes, and the header, which is JSON.
  if (!isTorch && start[8] !== 0x7b && !path.endsWith('.safetensors')) {
    const advice =
      'Give one of the two; of a model in another form, such as ONNX or GGUF, get the weights that it was made of';
    throw fileError(path, 'is neither a checkpoint of PyTorch nor safetensors', advice);
  }
  const opened = isTorch ? await openTorch(path) : await openSafetensors(path);
  const sets = Object.fromEntries(
    Object.entries(opened.sets).map(([name, tensors]) => [name, withoutPrefixes(tensors, path)]),
  );
  return { ...opened, sets };
}

async function openFolder(folder: string): Promise<WeightsFile> {
  const inner = existsSync(join(folder, 'config.json')) ? folder : join(folder, 'transformer');
  const config = join(inner, 'config.json');
  const file = folderFiles.map((name) => join(inner, name)).find((candidate) => existsSync(candidate));
  if (file === undefined || !existsSync(config)) {
    const problem = `has no config.json beside ${folderFiles.join(' or ')}`;
    throw fileError(folder, problem, 'Give a file with weights, or the folder of a DiTTransformer2DModel');
  }
  const facts = await readFacts(config);
  const opened = await openWeights(file);
  // What the pipeline around it says, such as the names of its classes.
  const index = join(folder, 'model_index.json');
  const pipeline = inner !== folder && existsSync(index) ? await readFacts(index) : {};
  return { ...opened, facts: { ...opened.facts, ...pipeline, ...facts } };
}

/** What a config.json says. @throws RectiflowError naming the file that cannot be read, or is none */
export async function readFacts(path: string): Promise<Record<string, unknown>> {
  const bytes = await readRegular(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), 'Check the path', error);
  });
  return parseJsonObject(bytes, path, 'Get the folder again');
}

async function openSafetensors(path: string): Promise<WeightsFile> {
  const header = await readSafetensorsHeader(path);
  const model = new Map(
    header.slots.map((slot) => {
      const read = (): Promise<StoredTensor> => readSafetensorsTensor(path, header, slot);
      return [slot.name, { dtype: slot.dtype, shape: slot.shape, read }] as const;
    }),
  );
  return { path, sets: { model }, facts: header.metadata };
}

/** A state dict alone, or {model, ema, opt, args} as trainers save it; LightningDiT's has config in place of args. */
async function openTorch(path: string): Promise<WeightsFile> {
  const file = await TorchFile.open(path);
  const { value } = file;
  const member = (name: string): PickleValue | undefined =>
    value instanceof Map ? value.get(name) : undefined;
  const model =
    tensorsOf(file, member('model')) ?? tensorsOf(file, member('state_dict')) ?? tensorsOf(file, value);
  const ema = tensorsOf(file, member('ema'));
  if (model === undefined && ema === undefined) {
    throw fileError(
      path,
      'has no weights: it is no state dict and holds none as "model" or "ema"',
      'Save the state dict of the model',
    );
  }
  return {
    path,
    sets: { ...(model && { model }), ...(ema && { ema }) },
    facts: { ...modelType(member('config')), ...plainMembers(member('args')) },
  };
}

/** Tensors that share memory, as tied weights do, count again each time that they are read. */
const MAX_SHARING = 4;

/** The tensors of a state dict; undefined for what is none. */
function tensorsOf(file: TorchFile, value: PickleValue | undefined): LazyTensors | undefined {
  if (!(value instanceof Map)) return undefined;
  const tensors = new Map<string, LazyTensor>();
  const held = new Map<string, number>();
  let bytes = 0;
  for (const [name, tensor] of value) {
    if (typeof name !== 'string' || !(tensor instanceof TorchTensor)) continue;
    const { storage, shape } = tensor;
    held.set(storage.key, file.checkStorage(storage).bytes);
    bytes += bytesIn(storage.dtype, shape);
    tensors.set(name, { dtype: storage.dtype, shape, read: () => file.read(tensor) });
  }
  const memory = [...held.values()].reduce((sum, size) => sum + size, 0);
  if (bytes > MAX_SHARING * memory) {
    const problem = `has tensors of ${bytes} bytes that share ${memory} bytes of memory, which no weights do`;
    throw fileError(file.path, problem, 'Save the state dict of the model');
  }
  return tensors.size > 0 ? tensors : undefined;
}

function plainMembers(args: PickleValue | undefined): Record<string, unknown> {
  const members = args instanceof PickleObject ? args.attributes : args instanceof Map ? args : new Map();
  return Object.fromEntries(
    [...members].filter(([name, value]) => typeof name === 'string' && typeof value !== 'object'),
  );
}

/** `{model: {model_type: 'LightningDiT-XL/1'}}` -> its model's name */
function modelType(config: PickleValue | undefined): Record<string, unknown> {
  const model = config instanceof Map ? config.get('model') : undefined;
  const name = model instanceof Map ? model.get('model_type') : undefined;
  return typeof name === 'string' ? { model: name } : {};
}

/** torch.compile and DistributedDataParallel put their names in front of every key. */
function withoutPrefixes(tensors: LazyTensors, path: string): LazyTensors {
  const plain = new Map<string, LazyTensor>();
  for (const [name, tensor] of tensors) {
    const short = name.replace(/^(?:module\.|_orig_mod\.)+/, '');
    if (plain.has(short))
      throw fileError(path, `has ${short} twice, with and without a prefix`, 'Save one of them');
    plain.set(short, tensor);
  }
  return plain;
}

/** Reads all values, as float32. */
export async function readWeights(tensors: LazyTensors): Promise<StoredTensors> {
  const weights = new Map<string, StoredTensor>();
  for (const [name, tensor] of tensors) {
    const stored = await tensor.read();
    weights.set(name, { dtype: 'F32', shape: stored.shape, data: toFloat32(stored) });
  }
  return weights;
}
