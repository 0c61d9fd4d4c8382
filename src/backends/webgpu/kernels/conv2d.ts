// Convolutions and their gradients, each one product of matrices. What windows cover is looked up in the image, never copied.
import type { ActivationAttribute } from '../../../ops/activations.ts';
import { type Windows, extentOf } from '../../../ops/windows.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Kernel } from '../dispatch.ts';
import { type Factor, product } from '../products/index.ts';
import { activated } from './activations.ts';
import { matching } from './matching.ts';
import { areaOf, isPixelwise, pixelAt, weightAt, windowAt, windowSizes } from './windows.ts';

/** Of each image y [O, N] = w [O, C kh kw] times what the N windows cover. */
const conv2d: Kernel = ({ inputs, outputs, attributes }, { tuning }) => {
  const [x, w, b] = inputs as [Tensor, Tensor, Tensor?];
  const [y] = outputs as [Tensor];
  const { activation, ...windows } = attributes as Windows & ActivationAttribute;
  const [O, K] = [w.shape[0]!, w.shape[1]! * areaOf(w)];
  const covered: Factor = isPixelwise(extentOf(w), windows)
    ? pixels(x)
    : {
        operand: x,
        contiguous: 'other',
        ofK: weightAt(extentOf(w), 'k', 'u.height * u.width'),
        ofOther: windowAt('other', 'batch', windows.stride),
        element: pixelAt('b'),
      };
  return product(
    {
      M: O,
      N: areaOf(y),
      K,
      batch: x.shape[0]!,
      a: { operand: w, contiguous: 'k', stride: K, ...matching(w, x) },
      b: covered,
      reads: b ? [{ name: 'bias', operand: b }] : [],
      sizes: windowSizes(x, y, windows),
      outputs: [{ name: 'y', tensor: y, value: activated(activation, b ? '(v + bias(row))' : 'v') }],
    },
    tuning,
  );
};

/** Images [B, channels, ...] as the factor of each that has its pixels as columns. */
function pixels(x: Tensor): Factor {
  const area = areaOf(x);
  return { operand: x, contiguous: 'other', stride: area, batchStride: x.shape[1]! * area };
}

/** Of each image dx [C, H W] = w^T [C, O kh kw] times dy, of the windows that cover a pixel with each weight. */
const conv2dGradInput: Kernel = ({ inputs, outputs, attributes }, { tuning }) => {
  const [dy, w] = inputs as [Tensor, Tensor];
  const [dx] = outputs as [Tensor];
  const windows = attributes as Windows;
  const [O, C] = w.shape as [number, number];
  const area = areaOf(w);
  const isPlain = isPixelwise(extentOf(w), windows);
  const { made = 'value' } = matching(w, dy);
  const turned: Factor = isPlain
    ? { operand: w, contiguous: 'other', stride: C, made }
    : {
        operand: w,
        contiguous: 'k',
        ofK: `let output = k / ${area}u; return vec3i(i32(output * u.M * ${area}u + k % ${area}u), 0, 0);`,
        ofOther: `return vec3i(i32(other * ${area}u), 0, 0);`,
        element: `let value = a(u32(k.x + other.x)); return ${made};`,
      };
  const meeting: Factor = isPlain
    ? pixels(dy)
    : {
        operand: dy,
        contiguous: 'other',
        ofK: weightAt(extentOf(w), 'k', 'u.rows * u.columns'),
        ofOther: `let row = other / u.width;
  return vec3i(vec2i(vec2u(row + u.top, other - row * u.width + u.left)), i32(batch * u.outputSize));`,
        element: windowOver(windows.stride),
      };
  return product(
    {
      M: C,
      N: areaOf(dx),
      K: O * area,
      batch: dy.shape[0]!,
      a: turned,
      b: meeting,
      sizes: windowSizes(dx, dy, windows),
      outputs: [{ name: 'dx', tensor: dx, value: 'v' }],
    },
    tuning,
  );
};

/** The gradient of the window that covers a pixel with a weight; zero where there is none: as whole numbers, what is less than 0 is far beyond. */
function windowOver(stride: number): string {
  const between = stride === 1 ? '' : ` && all(apart % ${stride}u == vec2u(0))`;
  return `let apart = vec2u(other.xy - k.xy); let at = apart / ${stride}u;
  let isInside = at.x < u.rows && at.y < u.columns${between};
  return select(0.0f, b(u32(k.z + other.z) + at.x * u.columns + at.y), isInside);`;
}

/** dw [O, C kh kw] = dy [O, B N] times what the N windows of all images cover; db. */
const conv2dGradParams: Kernel = ({ inputs, outputs, attributes }, { isMade, tuning }) => {
  const [x, dy] = inputs as [Tensor, Tensor];
  const [dw, db] = outputs as [Tensor, Tensor];
  const windows = attributes as Windows;
  const O = dy.shape[1]!;
  const sizes = windowSizes(x, dy, windows);
  const terms = dy.shape[0]! * areaOf(dy);
  const image = 'let N = u.rows * u.columns; let image = k / N;';
  return product(
    {
      M: O,
      N: x.shape[1]! * areaOf(dw),
      K: terms,
      inParts: true,
      rowSums: isMade(db) ? db : undefined,
      a: {
        operand: dy,
        contiguous: 'k',
        ofK: `${image} return vec3i(i32(image * u.outputSize + k % N), 0, 0);`,
        ofOther: 'return vec3i(i32(other * u.rows * u.columns), 0, 0);',
        element: 'return a(u32(k.x + other.x));',
      },
      b: {
        operand: x,
        contiguous: 'k',
        ofK: `${image} let n = k % N; ${windowAt('n', 'image', windows.stride)}`,
        ofOther: weightAt(extentOf(dw), 'other', 'u.height * u.width'),
        element: pixelAt('b'),
      },
      sizes,
      outputs: [{ name: 'dw', tensor: dw, value: 'v' }],
    },
    tuning,
  );
};

export const conv2dKernels: Readonly<Record<string, Kernel>> = { conv2d, conv2dGradInput, conv2dGradParams };
