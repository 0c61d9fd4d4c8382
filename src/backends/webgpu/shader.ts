// The whole text of a shader: declarations of what a dispatch binds, before its own code.
import { internalError } from '../../tensor/errors.ts';
import type { DType } from '../../tensor/dtype.ts';
import type { Argument, Dispatch, Width } from './dispatch.ts';
import { libraryFor } from './wgsl/library.ts';

/** How the elements of an array are stored: those of two bytes in pairs, as 32 bits. */
interface Storage {
  /** Of the declared array, for each width. */
  readonly types: Readonly<Record<Width, string>>;
  readonly value: 'f32' | 'i32';
  /** What reads and writes `array[i]`, as a value or a vector; undefined where it cannot. */
  readonly load: (array: string, width: Width) => string;
  readonly store: (array: string, width: Width) => string | undefined;
}

const plain = (value: 'f32' | 'i32'): Storage => ({
  types: { 1: value, 2: `vec2<${value}>`, 4: `vec4<${value}>` },
  value,
  load: (array) => `return ${array}[i];`,
  store: (array) => `${array}[i] = v;`,
});

/** @param name in those of the library's functions for it */
const pairs = (name: 'Bfloat16' | 'Float16'): Storage => ({
  types: { 1: 'u32', 2: 'u32', 4: 'vec2u' },
  value: 'f32',
  load: (array, width) =>
    ({
      1: `return ${name.toLowerCase()}At(${array}[i >> 1u], i & 1u);`,
      2: `return unpack${name}(${array}[i]);`,
      4: `let w = ${array}[i]; return vec4f(unpack${name}(w.x), unpack${name}(w.y));`,
    })[width],
  store: (array, width) =>
    ({
      1: undefined,
      2: `${array}[i] = pack${name}(v);`,
      4: `${array}[i] = vec2u(pack${name}(v.xy), pack${name}(v.zw));`,
    })[width],
});

const storages: Readonly<Record<DType, Storage>> = {
  float32: plain('f32'),
  int32: plain('i32'),
  bfloat16: pairs('Bfloat16'),
  float16: pairs('Float16'),
};

function vectorOf(type: string, width: Width): string {
  return width === 1 ? type : `vec${width}<${type}>`;
}

/** An array's own elements, or those of scratch memory. */
export function dtypeOf({ operand }: Argument): DType {
  return 'scratch' in operand ? 'float32' : operand.dtype;
}

/**
 * @param areWritable for each argument, whether it is bound so: memory that is read must be, too, where a dispatch writes to another
 * part of the same buffer
 */
export function shaderText(dispatch: Dispatch, areWritable: readonly boolean[]): string {
  const members = membersOf(dispatch);
  const declarations = dispatch.arguments.map((argument, binding) =>
    declaration(argument, binding, areWritable[binding]!),
  );
  const uniforms =
    members.length === 0
      ? []
      : [
          `struct Uniforms { ${members.map(({ name, type }) => `${name}: ${type}`).join(', ')} }`,
          `@group(0) @binding(${dispatch.arguments.length}) var<uniform> u: Uniforms;`,
        ];
  const own = [...uniforms, ...declarations, dispatch.code].join('\n');
  const enabled = extensions.filter(([pattern]) => pattern.test(own)).map(([, name]) => `enable ${name};\n`);
  return `${enabled.join('')}${libraryFor(own)}${own}`;
}

/** By what a text needs them for. */
const extensions: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/@builtin\(subgroup_/, 'subgroups'],
  [/\bf16\b/, 'f16'],
  [/\bsubgroup_matrix_/, 'chromium_experimental_subgroup_matrix'],
];

function declaration(argument: Argument, binding: number, isWritable: boolean): string {
  const { name, isWritten = false, width = 1, start } = argument;
  const { types, value, load, store } = storages[dtypeOf(argument)];
  const array = `${name}_data`;
  const [suffix, vector] = [width === 1 ? '' : String(width), vectorOf(value, width)];
  const [index, begin] = start === undefined ? ['i', ''] : ['at', `let i = at + u.${start}; `];
  const lines = [
    `@group(0) @binding(${binding}) var<storage, ${isWritable ? 'read_write' : 'read'}> ${array}: array<${types[width]}>;`,
    `fn ${name}${suffix}(${index}: u32) -> ${vector} { ${begin}${load(array, width)} }`,
  ];
  if (isWritten) {
    const storing = store(array, width);
    if (storing === undefined)
      throw internalError(`webgpu: ${name} has two bytes for an element, and is written by itself`);
    lines.push(`fn set${suffix}_${name}(${index}: u32, v: ${vector}) { ${begin}${storing} }`);
  }
  return lines.join('\n');
}

interface Member {
  readonly name: string;
  readonly type: 'u32' | 'f32';
  readonly value: number;
}

function membersOf({ sizes = {}, numbers = {} }: Dispatch): Member[] {
  return [
    ...Object.entries(sizes).map(([name, value]): Member => ({ name, type: 'u32', value })),
    ...Object.entries(numbers).map(([name, value]): Member => ({ name, type: 'f32', value })),
  ];
}

/** What a dispatch's uniforms hold, as they lie in memory; undefined where it has none. */
export function uniformsOf(dispatch: Dispatch): ArrayBuffer | undefined {
  const members = membersOf(dispatch);
  if (members.length === 0) return undefined;
  // The size of a uniform is a multiple of 16 bytes.
  const memory = new DataView(new ArrayBuffer(Math.ceil(members.length / 4) * 16));
  members.forEach(({ type, value }, i) => {
    if (type === 'u32') memory.setUint32(4 * i, value, true);
    else memory.setFloat32(4 * i, value, true);
  });
  return memory.buffer;
}
