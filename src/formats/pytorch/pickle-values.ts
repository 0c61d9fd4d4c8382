// What a pickle may hold, as it is held here.
import type { SafetensorsDtype } from '../../tensor/stored-tensor.ts';

/** A list is an array, a dict a Map, a set a Set; a number beyond 2^53 a bigint. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly PickleValue[]
  | ReadonlyMap<PickleValue, PickleValue>
  | ReadonlySet<PickleValue>
  | PickleTuple
  | PickleObject
  | PickleGlobal
  | TorchStorage
  | TorchTensor;

export class PickleTuple {
  readonly items: readonly PickleValue[];

  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** An object whose class means nothing here, such as an argparse.Namespace. */
export class PickleObject {
  readonly attributes: Map<string, PickleValue> = new Map();
}

/** A class or function of the allow-list, by its Python name. */
export class PickleGlobal {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** A piece of memory that tensors are views of. Its values are read from the archive when they are asked for. */
export class TorchStorage {
  readonly dtype: SafetensorsDtype;
  /** Of the archive's member: `data/<key>`. */
  readonly key: string;
  readonly elements: number;

  constructor(dtype: SafetensorsDtype, key: string, elements: number) {
    this.dtype = dtype;
    this.key = key;
    this.elements = elements;
  }
}

/** A view of a storage: `offset` and `strides` count elements. */
export class TorchTensor {
  readonly storage: TorchStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(storage: TorchStorage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}
