// Pictures that need no files: coloured discs and squares on a dark ground, each of another size, place and colour.
import { philox4x32 } from '../../../src/tensor/philox.ts';
import { type DrawnKind, type PictureForm, drawnKinds } from './pictures.ts';

const ground = 24;

/** [C, H, W], the same for the same number. */
export function drawPicture(kind: DrawnKind, number: number, form: PictureForm): Uint8Array<ArrayBuffer> {
  const [height, width] = form.size;
  const [across, down, large, hue] = chancesOf(kind, number);
  const side = Math.min(height, width);
  const radius = side * (0.17 + 0.16 * large);
  const x = radius + across * (width - 2 * radius);
  const y = radius + down * (height - 2 * radius);
  const pixels = new Uint8Array(form.channels * height * width);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const [dx, dy] = [column + 0.5 - x, row + 0.5 - y];
      const away = kind === 'discs' ? Math.hypot(dx, dy) : Math.max(Math.abs(dx), Math.abs(dy));
      const covered = Math.min(1, Math.max(0, radius - away + 0.5));
      for (let channel = 0; channel < form.channels; channel++) {
        const colour = form.channels === 1 ? 230 : 140 + 115 * Math.cos(2 * Math.PI * (hue + channel / 3));
        pixels[(channel * height + row) * width + column] = ground + covered * (colour - ground);
      }
    }
  return pixels;
}

/** Of hues from 0 to 1, in equal parts around these. */
const colours = ['red', 'pink', 'blue', 'cyan', 'green', 'yellow'] as const;

/** `a green disc`; where it is grey `a disc`. */
export function captionOfDrawn(kind: DrawnKind, number: number, { channels }: PictureForm): string {
  const what = { discs: 'disc', squares: 'square' }[kind];
  const hue = chancesOf(kind, number)[3];
  const colour = colours[Math.round(hue * colours.length) % colours.length]!;
  return channels === 1 ? `a ${what}` : `a ${colour} ${what}`;
}

function chancesOf(
  kind: DrawnKind,
  number: number,
): [across: number, down: number, large: number, hue: number] {
  const words = philox4x32([number, 0, 0, drawnKinds.indexOf(kind)], [0, 0]);
  return words.map((word) => word / 2 ** 32) as [number, number, number, number];
}
