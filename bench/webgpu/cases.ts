// What backends of WebGPU are compared by: the same arrays, the same computation, one number read at the end of each run.

export interface Case {
  readonly name: string;
  /** What is given, with its shape: all of them numbers of the same kind. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly kind: 'product' | 'mlp' | 'block';
  /** Of multiplications and additions in products, forward and backward. */
  readonly flop: number;
}

/** One side of the comparison, ready to run a case. */
export interface Contestant {
  /** Runs once and waits. @returns what the run ends in: a sum, or a loss */
  run(): Promise<number>;
}

/** Makes a contestant of a case. @param inputs the numbers of each of the case's inputs */
export type Side = (of: Case, inputs: Readonly<Record<string, Float32Array>>) => Promise<Contestant>;

function product(size: number): Case {
  const inputs = { x: [size, size], w: [size, size] };
  return { name: `product of ${size}`, kind: 'product', inputs, flop: 2 * size ** 3 };
}

/** Two layers with GELU between, their gradients, and a step against these. */
function mlp(rows: number, width: number): Case {
  const inputs = { x: [rows, width], target: [rows, width], w1: [4 * width, width], w2: [width, 4 * width] };
  // Of the first layer there is no gradient of x.
  return { name: `MLP, ${rows} x ${width}`, kind: 'mlp', inputs, flop: 2 * rows * 4 * width * width * 5 };
}

/** A DiT block with adaLN-Zero: forward, and the gradients of all that it has. */
function block(batch: number, tokens: number, width: number): Case {
  const inputs = {
    x: [batch, tokens, width],
    modulation: [batch, 6 * width],
    qkv: [3 * width, width],
    out: [width, width],
    w1: [4 * width, width],
    w2: [width, 4 * width],
  };
  const linear = 2 * batch * tokens * 12 * width * width;
  const attention = 4 * batch * tokens * tokens * width;
  return {
    name: `DiT block, ${batch} x ${tokens} x ${width}`,
    kind: 'block',
    inputs,
    flop: 3 * (linear + attention),
  };
}

/** Of the widths of the blocks. */
export const headWidth = 64;

export const cases: readonly Case[] = [
  product(256),
  product(512),
  product(1024),
  mlp(256, 128),
  mlp(512, 256),
  block(4, 64, 128),
  block(2, 256, 384),
];

/** Numbers that no side draws itself: between -1 and 1, and weights so that layers keep their size. */
export function numbersOf({ inputs }: Case): Record<string, Float32Array> {
  const draw = ([name, shape]: readonly [string, readonly number[]]): [string, Float32Array] => {
    const size = shape.reduce((all, extent) => all * extent, 1);
    const scale = /^(?:w|qkv|out)/.test(name) ? Math.sqrt(3 / shape.at(-1)!) : 1;
    const next = (_: unknown, i: number): number => {
      // A step of splitmix32 (Steele, Lea & Flood 2014) for each element.
      let bits = Math.imul(i + size, 0x9e3779b9);
      bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
      bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
      return scale * (((bits ^ (bits >>> 15)) >>> 0) / 2 ** 31 - 1);
    };
    return [name, Float32Array.from({ length: size }, next)];
  };
  return Object.fromEntries(Object.entries(inputs).map(draw));
}
