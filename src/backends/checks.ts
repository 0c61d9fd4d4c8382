// What every backend checks before its own code sees anything.
import type { Program } from '../program/index.ts';
import type { DType, HostArray } from '../tensor/dtype.ts';
import { RectiflowError, formatShape } from '../tensor/errors.ts';
import { sameShape, sizeOf } from '../tensor/shape.ts';
import type { Tensor, TensorType } from '../tensor/tensor.ts';
import type { Buffer, Buffers } from './backend.ts';
import type { Lifetime } from '../tensor/lifetime.ts';

/** Throws unless `values` has as many elements as `type`, and is integral where it must be. */
export function checkValues(what: string, type: TensorType, values: HostArray): void {
  const size = sizeOf(type.shape);
  if (values.length !== size) {
    throw new RectiflowError(
      'shape',
      `${what}: wanted ${size} elements for shape ${formatShape(type.shape)}, got ${values.length}`,
    );
  }
  if ((type.dtype === 'int32') !== values instanceof Int32Array) {
    const wanted = type.dtype === 'int32' ? 'an Int32Array' : 'a Float32Array or Float64Array';
    throw new RectiflowError('dtype', `${what}: wanted ${wanted}, got ${values.constructor.name}`);
  }
}

/** Throws unless there is an array of the right size for every input, and no other. */
export function checkInputs(program: Program, inputs: Readonly<Record<string, HostArray>>): void {
  for (const tensor of program.inputs) {
    const values = inputs[tensor.name!];
    if (values === undefined) {
      throw new RectiflowError('value', `program ${program.name}: input ${tensor.name} is missing`);
    }
    checkValues(`program ${program.name}: input ${tensor.name}`, tensor, values);
  }
  for (const name of Object.keys(inputs)) {
    if (program.inputs.some((tensor) => tensor.name === name)) continue;
    const known = program.inputs.map((tensor) => tensor.name).join(', ');
    throw new RectiflowError(
      'value',
      `program ${program.name}: there is no input ${name}; its inputs are ${known}`,
    );
  }
}

/**
 * The buffers of a program's state. Throws unless every state tensor has one, of its shape and dtype, and allocated by the backend.
 * @param isOwn tells the backend's buffers from others
 */
export function checkBuffers<B extends Buffer>(
  program: Program,
  buffers: Buffers,
  isOwn: (buffer: Buffer) => buffer is B,
): Map<string, B> {
  const checked = new Map<string, B>();
  for (const { name, shape, dtype } of program.state) {
    const buffer = buffers.get(name!);
    if (buffer === undefined) {
      throw new RectiflowError('value', `program ${program.name}: no buffer for the state ${name}`);
    }
    if (!sameShape(buffer.shape, shape) || buffer.dtype !== dtype) {
      throw new RectiflowError(
        'shape',
        `program ${program.name}: the buffer for ${name} must be ${dtype} ${formatShape(shape)}, ` +
          `got ${buffer.dtype} ${formatShape(buffer.shape)}`,
      );
    }
    if (!isOwn(buffer)) {
      throw new RectiflowError(
        'value',
        `program ${program.name}: the buffer for ${name} must be allocated by the backend that compiles the program, ` +
          'got one of another backend',
      );
    }
    checked.set(name!, buffer);
  }
  return checked;
}

/** Throws where the program or a buffer of its state was disposed of. */
export function checkLives(
  { name }: Program,
  life: Lifetime,
  buffers: ReadonlyMap<string, { readonly life: Lifetime }>,
): void {
  life.check();
  for (const [state, buffer] of buffers) buffer.life.check(`program ${name}: the buffer for ${state}`);
}

/** What is asked for before there is anything to read. */
export function unreadError({ name }: Program, outputs: readonly string[]): RectiflowError {
  const what = outputs.length === 1 ? `output ${outputs[0]} was` : `outputs ${outputs.join(', ')} were`;
  return new RectiflowError('value', `program ${name}: ${what} read before a run`);
}

/** Throws where a value of a program is of a type that the backend has no kernels for. */
export function checkDTypes(backend: string, program: Program, dtypes: readonly DType[]): void {
  const made = program.nodes.flatMap(({ outputs }) => outputs);
  for (const tensor of [...program.inputs, ...program.state, ...made]) {
    if (dtypes.includes(tensor.dtype)) continue;
    throw new RectiflowError(
      'dtype',
      `program ${program.name}: ${tensor.name ?? `value %${tensor.id}`} is ${tensor.dtype}, and ${backend} computes with ` +
        `${dtypes.join(', ')} only`,
    );
  }
}

/** The tensors of outputs, by name; throws where there is none of a name. */
export function checkOutputs<N extends string>(
  program: Program,
  names: readonly N[],
): [name: N, tensor: Tensor][] {
  return names.map((name) => {
    const tensor = program.outputs.get(name);
    if (tensor !== undefined) return [name, tensor];
    const known = [...program.outputs.keys()].join(', ');
    throw new RectiflowError(
      'value',
      `program ${program.name}: there is no output ${name}; its outputs are ${known}`,
    );
  });
}
