// Cells in a plane, onto a canvas: real ones as dots, those that are made as diamonds at the end of their way from noise.
import { colour, faint, resolved } from '../parts/theme.svelte.ts';

export interface Points {
  /** [N, 2] */
  readonly places: Float32Array;
  readonly labels: ArrayLike<number>;
}

export interface ScatterDrawing {
  readonly real: Points;
  readonly made: Points | undefined;
  /** Where those that are made have been, [N, 2] each, in order. */
  readonly way: readonly Float32Array[];
  readonly classes: number;
  /** Real cells of others are faint; undefined: none are. */
  readonly chosen: number | undefined;
}

/** Of a type, for light and dark: hues all around the circle, neighbours of different lightness. */
export function typeColour(label: number, classes: number): string {
  const hue = Math.round((360 * label) / classes);
  const [light, dark] = label % 2 === 0 ? [46, 62] : [34, 76];
  return `light-dark(hsl(${hue} 70% ${light}%), hsl(${hue} 70% ${dark}%))`;
}

export type Bounds = readonly [left: number, bottom: number, right: number, top: number];

/** Around all places, with a margin. */
export function boundsOf(sets: readonly Float32Array[]): Bounds {
  let [left, bottom, right, top] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const places of sets)
    for (let i = 0; i < places.length; i += 2) {
      [left, right] = [Math.min(left, places[i]!), Math.max(right, places[i]!)];
      [bottom, top] = [Math.min(bottom, places[i + 1]!), Math.max(top, places[i + 1]!)];
    }
  const [marginX, marginY] = [0.04 * (right - left || 1), 0.04 * (top - bottom || 1)];
  return [left - marginX, bottom - marginY, right + marginX, top + marginY];
}

/** @param ratio pixels of the canvas to one of the page */
export function drawScatter(
  canvas: HTMLCanvasElement,
  drawing: ScatterDrawing,
  bounds: Bounds,
  ratio: number,
): void {
  const { real, made, way, classes, chosen } = drawing;
  const context = canvas.getContext('2d')!;
  const [left, bottom, right, top] = bounds;
  const at = (places: Float32Array, i: number): readonly [number, number] => [
    ((places[2 * i]! - left) / (right - left)) * canvas.width,
    (1 - (places[2 * i + 1]! - bottom) / (top - bottom)) * canvas.height,
  ];
  context.clearRect(0, 0, canvas.width, canvas.height);
  const colours = Array.from({ length: classes }, (_, label) => resolved(typeColour(label, classes)));
  for (let i = 0; i < real.labels.length; i++) {
    const label = real.labels[i]!;
    const isChosen = chosen === undefined || chosen === label;
    context.fillStyle = faint(colours[label]!, isChosen ? 0.7 : 0.18);
    context.beginPath();
    context.arc(...at(real.places, i), 2.2 * ratio, 0, 2 * Math.PI);
    context.fill();
  }
  if (made === undefined) return;
  context.lineWidth = ratio;
  for (let i = 0; i < made.labels.length; i++) {
    context.strokeStyle = faint(colours[made.labels[i]!]!, 0.35);
    context.beginPath();
    for (const places of way) context.lineTo(...at(places, i));
    context.lineTo(...at(made.places, i));
    context.stroke();
  }
  context.strokeStyle = colour('--text');
  for (let i = 0; i < made.labels.length; i++) {
    const [x, y] = at(made.places, i);
    const size = 5 * ratio;
    context.fillStyle = colours[made.labels[i]!]!;
    context.beginPath();
    context.moveTo(x, y - size);
    context.lineTo(x + size, y);
    context.lineTo(x, y + size);
    context.lineTo(x - size, y);
    context.closePath();
    context.fill();
    context.stroke();
  }
}
