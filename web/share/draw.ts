// Pictures of samples, onto a canvas.
import { asPictures, foreseenFrom } from '../../src/flow/velocity-path.ts';
import { formatNumber } from '../parts/format.ts';

/** [C, H, W] */
export type PictureShape = readonly [channels: number, height: number, width: number];

/** What of the samples is shown. */
export type View = 'sample' | 'velocity' | 'foreseen';

/** How many columns a grid has. */
export function columnsOf(count: number): number {
  return Math.ceil(Math.sqrt(count));
}

/**
 * @param values [count, C, H, W] in about [-1, 1]: black to white, or channels red, green and blue
 * @param wanted how many columns; by default the grid is about a square
 */
export function drawGrid(
  canvas: HTMLCanvasElement | OffscreenCanvas,
  values: Float32Array,
  shape: PictureShape,
  wanted?: number,
): void {
  const [channels, height, width] = shape;
  const count = values.length / (channels * height * width);
  const columns = wanted ?? columnsOf(count);
  const rows = Math.ceil(count / columns);
  const gap = count > 1 ? Math.max(1, Math.round(width / 16)) : 0;
  canvas.width = columns * (width + gap) - gap;
  canvas.height = rows * (height + gap) - gap;
  const context = canvas.getContext('2d') as CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;
  for (let i = 0; i < count; i++) {
    const image = new ImageData(width, height);
    const plane = height * width;
    const start = i * channels * plane;
    for (let at = 0; at < plane; at++) {
      for (let channel = 0; channel < 3; channel++) {
        const value = values[start + Math.min(channel, channels - 1) * plane + at]!;
        image.data[4 * at + channel] = 127.5 * (value + 1);
      }
      image.data[4 * at + 3] = 255;
    }
    const [row, column] = [Math.floor(i / columns), i % columns];
    context.putImageData(image, column * (width + gap), row * (height + gap));
  }
}

/** Numbers of samples at a time. */
export interface Moment {
  readonly t: number;
  readonly values: Float32Array;
}

/** The mean velocity from one moment to the next, as pictures. */
export function velocityBetween(now: Moment, next: Moment): Float32Array {
  return asPictures(meanVelocity(now, next));
}

/** Where samples would end if they went straight on from one moment as they did to the next. */
export function foreseenBetween(now: Moment, next: Moment): Float32Array {
  return foreseenFrom(now.values, meanVelocity(now, next), now.t);
}

function meanVelocity(now: Moment, next: Moment): Float32Array {
  return now.values.map((value, i) => (value - next.values[i]!) / (now.t - next.t));
}

/** `t = 0.42` */
export function formatTimeOf(t: number): string {
  return `t = ${formatNumber(Number(t.toFixed(3)))}`;
}
