// Where windows of convolutions lie, as shaders reckon it.
import { type Extent, type Windows, extentOf } from '../../../ops/windows.ts';
import type { Tensor } from '../../../tensor/tensor.ts';

/** Pixels of an image, or weights of a kernel for one channel. */
export function areaOf(tensor: Tensor): number {
  const [rows, columns] = extentOf(tensor);
  return rows * columns;
}

/** Whether each window is one pixel, and each pixel a window. */
export function isPixelwise([kh, kw]: Extent, { stride, padding }: Windows): boolean {
  return kh === 1 && kw === 1 && stride === 1 && padding.every((side) => side === 0);
}

/** What the functions below read. @param x images, y as many windows as there are */
export function windowSizes(x: Tensor, y: Tensor, { padding }: Windows): Record<string, number> {
  const [[height, width], [rows, columns]] = [extentOf(x), extentOf(y)];
  return {
    height,
    width,
    rows,
    columns,
    imageSize: x.shape[1]! * height * width,
    outputSize: y.shape[1]! * rows * columns,
    top: padding[0]!,
    left: padding[2]!,
  };
}

/**
 * The first pixel that a window covers, and where its image begins.
 * @param n, image expressions
 */
export function windowAt(n: string, image: string, stride: number): string {
  return `let row = ${n} / u.columns; let column = ${n} - row * u.columns;
  return vec3i(vec2i(vec2u(row, column) * ${stride}u) - vec2i(vec2u(u.top, u.left)), i32(${image} * u.imageSize));`;
}

/**
 * The body of a function of an index of weights [channels, kh, kw]: which of a window's pixels it meets, and where its channel begins. The
 * extents are constants, by which compilers divide without dividing.
 * @param index an expression
 * @param channelSize an expression of pixels
 */
export function weightAt([kh, kw]: Extent, index: string, channelSize: string): string {
  const area = kh * kw;
  return `let channel = ${index} / ${area}u; let place = ${index} % ${area}u;
  return vec3i(i32(place / ${kw}u), i32(place % ${kw}u), i32(channel * ${channelSize}));`;
}

/**
 * The body of a function of `k` and `other`, what these two return: the pixel that they meet in, zero outside of the image. As whole numbers,
 * what is less than 0 is far beyond it.
 */
export function pixelAt(name: 'a' | 'b'): string {
  return `let at = vec2u(k.xy + other.xy);
  let isInside = at.x < u.height && at.y < u.width;
  return select(0.0f, ${name}(u32(k.z + other.z) + at.x * u.width + at.y), isInside);`;
}
