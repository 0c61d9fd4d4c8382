// PyTorch's checkpoints: a zip archive with data.pkl, which describes objects, and data/<key>, the memory of their tensors.
import { sizeOf, stridesOf, walkStrided } from '../../tensor/shape.ts';
import { fileError } from '../../tensor/errors.ts';
import { readFully, withFile } from '../../host/read-file.ts';
import type { StorageArray, StoredTensor } from '../../tensor/stored-tensor.ts';
import { allocate, bytesIn, bytesOf } from '../safetensors.ts';
import { PickleProblem } from './globals.ts';
import type { PickleValue, TorchStorage, TorchTensor } from './pickle-values.ts';
import { unpickle } from './unpickle.ts';
import { type OpenFile, type ZipEntry, readZipDirectory, readZipEntry } from './zip.ts';

/** Descriptions of a few thousand tensors take a few hundred thousand bytes. */
const MAX_PICKLE_BYTES = 1 << 25;
/** Of storages that several tensors are parts of. */
const MAX_KEPT_BYTES = 1 << 26;
/** How often all of them may be read again because others had to go. */
const MAX_READS = 4;
const REPLACE = 'The file is damaged or no PyTorch checkpoint: copy it again';
const SAVE_AGAIN =
  'Save only the weights, where you trust the file: torch.save(torch.load(path)["model"], "weights.pt") in Python';

/** A checkpoint whose pickle was read; the values of its tensors are read when they are asked for. */
export class TorchFile {
  readonly path: string;
  /** What torch.save was given. */
  readonly value: PickleValue;
  readonly #entries: ReadonlyMap<string, ZipEntry>;
  /** `archive/` or whatever the file was called when it was written. */
  readonly #prefix: string;
  readonly #kept = new Map<string, StorageArray>();
  /** Bytes of all members. */
  readonly #held: number;
  /** Bytes that were read of storages for parts of them. */
  #read = 0;

  private constructor(
    path: string,
    value: PickleValue,
    entries: ReadonlyMap<string, ZipEntry>,
    prefix: string,
  ) {
    this.path = path;
    this.value = value;
    this.#entries = entries;
    this.#prefix = prefix;
    this.#held = [...entries.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * Reads what a checkpoint describes, without executing any of it: its pickle may name only what weights are made of.
   * @throws RectiflowError when the file is damaged, in PyTorch's format from before version 1.6, or asks for anything else
   */
  static async open(path: string): Promise<TorchFile> {
    return withArchive(path, async (archive) => {
      await checkFormat(archive);
      const entries = await readZipDirectory(archive);
      const pickles = [...entries.values()].filter(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
      const [pickle] = pickles;
      if (pickle === undefined || pickles.length > 1)
        throw fileError(path, `has ${pickles.length} members named data.pkl, wanted one`, REPLACE);
      if (pickle.bytes > MAX_PICKLE_BYTES)
        throw fileError(
          path,
          `has a data.pkl of ${pickle.bytes} bytes, more than ${MAX_PICKLE_BYTES}`,
          SAVE_AGAIN,
        );
      const prefix = pickle.name.slice(0, -'data.pkl'.length);
      await checkByteOrder(archive, entries.get(`${prefix}byteorder`));
      const bytes = await readZipEntry(archive, pickle);
      return new TorchFile(
        path,
        describing(path, () => unpickle(bytes)),
        entries,
        prefix,
      );
    });
  }

  /**
   * The values of a tensor, row-major.
   * @throws RectiflowError when its storage is missing, damaged or of another size than the pickle says
   */
  async read({ storage, offset, shape, strides }: TorchTensor): Promise<StoredTensor> {
    const { dtype } = storage;
    const elements = sizeOf(shape);
    const memory = await (elements === storage.elements ? this.#readStorage(storage) : this.#shared(storage));
    if (isRowMajor(shape, strides)) {
      const isWhole = elements === memory.length;
      return { dtype, shape, data: isWhole ? memory : memory.slice(offset, offset + elements) };
    }
    const data = allocate(dtype, elements);
    walkStrided(shape, strides, (i, at) => {
      data[i] = memory[offset + at]!;
    });
    return { dtype, shape, data };
  }

  /** @throws RectiflowError when a storage is missing or of another size than the pickle says */
  checkStorage({ dtype, key, elements }: TorchStorage): ZipEntry {
    const entry = this.#entries.get(`${this.#prefix}data/${key}`);
    if (entry === undefined) throw fileError(this.path, `lacks the storage data/${key}`, REPLACE);
    const wanted = bytesIn(dtype, [elements]);
    if (entry.bytes !== wanted) {
      const problem = `storage data/${key} has ${entry.bytes} bytes, ${wanted} are wanted for ${elements} of ${dtype}`;
      throw fileError(this.path, problem, REPLACE);
    }
    return entry;
  }

  /** Of a storage of which tensors are parts: kept for the others, as far as there is room. */
  async #shared(storage: TorchStorage): Promise<StorageArray> {
    const id = `${storage.dtype} ${storage.key}`;
    const kept = this.#kept.get(id);
    if (kept === undefined) this.#count(storage);
    const memory = kept ?? (await this.#readStorage(storage));
    // The one that was used last is the last to go.
    this.#kept.delete(id);
    this.#kept.set(id, memory);
    let bytes = 0;
    for (const [other, { byteLength }] of [...this.#kept].toReversed()) {
      bytes += byteLength;
      if (bytes > MAX_KEPT_BYTES && other !== id) this.#kept.delete(other);
    }
    return memory;
  }

  #count(storage: TorchStorage): void {
    this.#read += this.checkStorage(storage).bytes;
    if (this.#read <= MAX_READS * this.#held) return;
    const problem = `has tensors that are parts of its storages in such an order that ${this.#read} bytes are read for ${this.#held}`;
    throw fileError(this.path, problem, SAVE_AGAIN);
  }

  async #readStorage(storage: TorchStorage): Promise<StorageArray> {
    const entry = this.checkStorage(storage);
    const memory = allocate(storage.dtype, storage.elements);
    bytesOf(memory).set(await withArchive(this.path, (archive) => readZipEntry(archive, entry)));
    return memory;
  }
}

async function withArchive<T>(path: string, use: (archive: OpenFile) => Promise<T>): Promise<T> {
  return withFile(path, async (file) => use({ file, path, bytes: (await file.stat()).size }));
}

/** Before version 1.6 a checkpoint was a row of pickles; a bare pickle begins in the same way. */
async function checkFormat({ file, path, bytes }: OpenFile): Promise<void> {
  const start = new Uint8Array(Math.min(4, bytes));
  await readFully(file, start, 0, path);
  if (start[0] === 0x50 && start[1] === 0x4b) return;
  const isPickle = start[0] === 0x80;
  throw fileError(
    path,
    isPickle
      ? 'is a pickle, or a checkpoint in the format that PyTorch had before version 1.6, which is not read here'
      : 'is no PyTorch checkpoint: it does not begin like a zip archive',
    isPickle
      ? 'Where you trust the file, torch.save(torch.load(path), "new.pt") writes the present format'
      : REPLACE,
  );
}

async function checkByteOrder(archive: OpenFile, entry: ZipEntry | undefined): Promise<void> {
  if (entry === undefined) return;
  const order = Buffer.from(await readZipEntry(archive, entry)).toString();
  if (order !== 'little')
    throw fileError(
      archive.path,
      `is of byte order ${JSON.stringify(order.slice(0, 20))}, wanted "little"`,
      SAVE_AGAIN,
    );
}

function describing<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof PickleProblem)) throw error;
    throw fileError(path, error.message, SAVE_AGAIN, error);
  }
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  const wanted = stridesOf(shape);
  return shape.every((extent, axis) => extent === 1 || strides[axis] === wanted[axis]);
}
