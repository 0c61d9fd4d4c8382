// What is used of the packages that this one is compared with: they are installed for that only.
declare module '@jax-js/jax' {
  export interface JaxArray {
    readonly shape: number[];
    /** One more reference to it. */
    readonly ref: JaxArray;
    add(other: JaxArray | number): JaxArray;
    sub(other: JaxArray): JaxArray;
    mul(other: JaxArray | number): JaxArray;
    div(other: JaxArray): JaxArray;
    reshape(shape: number[]): JaxArray;
    data(): Promise<Float32Array>;
  }
  export const init: (...devices: string[]) => Promise<string[]>;
  export const defaultDevice: (device: string) => string;
  export const jit: <F>(f: F) => F;
  export const valueAndGrad: <A>(f: (all: A) => JaxArray) => (all: A) => [JaxArray, A];
  interface Keep {
    readonly keepdims: boolean;
  }
  export const numpy: {
    array(values: Float32Array): JaxArray;
    transpose(x: JaxArray): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    mean(x: JaxArray, axis?: number, options?: Keep): JaxArray;
    sum(x: JaxArray): JaxArray;
    square(x: JaxArray): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    split(x: JaxArray, parts: number, axis: number): JaxArray[];
  };
  export const nn: {
    gelu(x: JaxArray, options: { readonly approximate: boolean }): JaxArray;
    dotProductAttention(q: JaxArray, k: JaxArray, v: JaxArray): JaxArray;
  };
}

declare module '@tensorflow/tfjs-core' {
  export interface TfTensor {
    readonly shape: number[];
    data(): Promise<Float32Array>;
    dispose(): void;
  }
  type Operand = TfTensor | number;
  type Binary = (a: Operand, b: Operand) => TfTensor;
  type Unary = (x: TfTensor) => TfTensor;
  export const add: Binary;
  export const sub: Binary;
  export const mul: Binary;
  export const div: Binary;
  export const square: Unary;
  export const sqrt: Unary;
  export const tanh: Unary;
  export const softmax: Unary;
  export const mean: (x: TfTensor, axis?: number, keepDims?: boolean) => TfTensor;
  export const sum: (x: TfTensor) => TfTensor;
  export const reshape: (x: TfTensor, shape: number[]) => TfTensor;
  export const transpose: (x: TfTensor, permutation: number[]) => TfTensor;
  export const split: (x: TfTensor, parts: number, axis: number) => TfTensor[];
  export const matMul: (a: TfTensor, b: TfTensor, transposeA?: boolean, transposeB?: boolean) => TfTensor;
  export const tensor: (values: Float32Array, shape: number[]) => TfTensor;
  export const tidy: <T>(f: () => T) => T;
  export const setBackend: (name: string) => Promise<boolean>;
  export const ready: () => Promise<void>;
  export const valueAndGrads: (
    f: (...given: TfTensor[]) => TfTensor,
  ) => (given: TfTensor[]) => { value: TfTensor; grads: TfTensor[] };
}

declare module '@tensorflow/tfjs-core/dist/register_all_gradients';

declare module '@tensorflow/tfjs-backend-webgpu';
