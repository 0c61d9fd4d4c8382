// The allow-list: every Python name that a checkpoint may mention, and what stands for it here. Nothing is looked up anywhere
// else, so no file can make this process do more than build these values.
import { sizeOf } from '../../tensor/shape.ts';
import type { SafetensorsDtype } from '../../tensor/stored-tensor.ts';
import {
  PickleGlobal,
  PickleObject,
  PickleTuple,
  type PickleValue,
  TorchStorage,
  TorchTensor,
} from './pickle-values.ts';

/** What is wrong with a pickle; the reader of the file says whose it is. */
export class PickleProblem extends Error {}

type Arguments = readonly PickleValue[];
/** Told how many values a call copies: they count like instructions, or a short pickle could copy a long list for ever. */
type Spend = (values: number) => void;
type Construct = (args: Arguments, spend: Spend) => PickleValue;

const storages: Readonly<Record<string, SafetensorsDtype>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

/** torch's own, some with two names. They are values here, not functions. */
const dtypes =
  'float64 double float32 float float16 half bfloat16 int64 long int32 int int16 short int8 uint8 bool'.split(
    ' ',
  );

/** A Python 2 name for what Python 3 calls builtins. */
const builtins = ['builtins', '__builtin__'];

const constructors: Readonly<Record<string, Construct>> = {
  'collections.OrderedDict': dict,
  'torch.Size': tuple,
  'torch._utils._rebuild_tensor_v2': ([storage, offset, shape, strides]) =>
    rebuildTensor(storage, offset, shape, strides),
  'torch._utils._rebuild_parameter': ([tensor]) => {
    if (tensor instanceof TorchTensor) return tensor;
    throw new PickleProblem('has a parameter that is no tensor');
  },
  'argparse.Namespace': () => new PickleObject(),
  ...Object.fromEntries(
    builtins.flatMap((module) => [
      [`${module}.dict`, dict],
      [`${module}.list`, list],
      [`${module}.tuple`, tuple],
      [`${module}.set`, set],
      [`${module}.frozenset`, set],
      [`${module}.int`, scalar],
      [`${module}.float`, scalar],
      [`${module}.bool`, scalar],
      [`${module}.str`, scalar],
    ]),
  ),
};

const named = new Set([
  ...Object.keys(constructors),
  ...Object.keys(storages).map((name) => `torch.${name}`),
  ...dtypes.map((name) => `torch.${name}`),
]);

/** @throws PickleProblem naming what is not on the list */
export function findGlobal(module: string, name: string): PickleGlobal {
  const full = `${module}.${name}`;
  if (named.has(full)) return new PickleGlobal(full);
  const shown = JSON.stringify(full.slice(0, 100));
  throw new PickleProblem(`asks for the Python name ${shown}, which weights have no need of`);
}

/** What Python would make by calling `callee`. */
export function callGlobal(callee: PickleValue, args: Arguments, spend: Spend): PickleValue {
  const construct = callee instanceof PickleGlobal ? constructors[callee.name] : undefined;
  if (construct === undefined) throw new PickleProblem('calls what is no function of the allow-list');
  return construct(args, spend);
}

/** ('storage', torch.FloatStorage, key, device, elements): the only kind of object that torch.save keeps outside of a pickle. */
export function findStorage(id: PickleValue): TorchStorage {
  const [kind, type, key, , elements] = id instanceof PickleTuple ? id.items : [];
  const dtype = type instanceof PickleGlobal ? storages[type.name.replace(/^torch\./, '')] : undefined;
  if (kind !== 'storage' || dtype === undefined || typeof key !== 'string' || !isCount(elements))
    throw new PickleProblem('has a storage that is described wrongly');
  return new TorchStorage(dtype, key, elements);
}

function rebuildTensor(
  storage: PickleValue | undefined,
  offset: PickleValue | undefined,
  size: PickleValue | undefined,
  stride: PickleValue | undefined,
): TorchTensor {
  const shape = items(size);
  const strides = items(stride);
  if (shape.length !== strides.length || shape.length > MAX_AXES)
    throw new PickleProblem(`has a tensor with ${shape.length} axes and ${strides.length} strides`);
  if (
    !(storage instanceof TorchStorage) ||
    !isCount(offset) ||
    !shape.every(isCount) ||
    !strides.every(isCount)
  )
    throw new PickleProblem('has a tensor with an offset, a size or a stride that is no whole number from 0');
  const elements = sizeOf(shape);
  const last = offset + shape.reduce((sum, extent, axis) => sum + (extent - 1) * strides[axis]!, 0);
  if (elements > storage.elements || (elements > 0 && last >= storage.elements)) {
    throw new PickleProblem(
      `has a tensor of shape [${shape.join(', ')}] in a storage of ${storage.elements} elements, which it does not fit`,
    );
  }
  return new TorchTensor(storage, offset, shape, strides);
}

/** As many as torch has. */
const MAX_AXES = 64;

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function items(value: PickleValue | undefined): readonly PickleValue[] {
  if (value instanceof PickleTuple) return value.items;
  if (value === undefined) return [];
  if (Array.isArray(value)) return value as readonly PickleValue[];
  throw new PickleProblem('makes a sequence of what is none');
}

function tuple([from]: Arguments): PickleTuple {
  return new PickleTuple(items(from));
}

function list([from]: Arguments, spend: Spend): PickleValue[] {
  const values = items(from);
  spend(values.length);
  return [...values];
}

function set([from]: Arguments, spend: Spend): Set<PickleValue> {
  return new Set(list([from ?? []], spend));
}

/** From nothing, from a dict, or from a list of pairs. */
function dict([from]: Arguments, spend: Spend): Map<PickleValue, PickleValue> {
  const pairs = from instanceof Map ? from : items(from).map(pair);
  const made = new Map<PickleValue, PickleValue>(pairs);
  spend(made.size);
  return made;
}

function pair(value: PickleValue): [PickleValue, PickleValue] {
  const [key, member] = items(value);
  if (key !== undefined && member !== undefined) return [key, member];
  throw new PickleProblem('makes a dict of what are no pairs');
}

function scalar([value]: Arguments): PickleValue {
  if (value === undefined || typeof value === 'object')
    throw new PickleProblem('makes a number or a string of an object');
  return value;
}
